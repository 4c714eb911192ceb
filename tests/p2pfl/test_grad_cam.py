import pytest
import torch
from torch import nn

from p2pfl.grad_cam import grad_cam, last_maps
from p2pfl.models import Cnn, LeNet, Mlp, ResNet10, SpmcCnn, Vgg9, build_model

MODELS = [(Cnn(), 28), (LeNet(), 28), (SpmcCnn(), 32), (Vgg9(width=1 / 16), 32)]
NETWORKS = [*MODELS, (ResNet10(width=1 / 16, norm="batch"), 8)]


def tiny(behind=()):
    """Two maps, the image and its negative, of 2 x 2 images; and two classes."""
    module = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), *behind, nn.Flatten(), nn.Linear(8, 2, bias=False)
    )
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        module[-1].weight.copy_(
            torch.tensor([[1.0, 2.0, 3.0, 6.0, 0.0, 0.0, 4.0, 0.0],
                          [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0]])
        )  # fmt: skip
    return module


def test_a_map_by_hand():
    image = torch.tensor([[[[1.0, -2.0], [3.0, 0.0]]]]).repeat(2, 1, 1, 1)
    # Class 0: shares (1 + 2 + 3 + 6) / 4 = 3 and 4 / 4 = 1, so 3 x - x; class 1: -x - x.
    came = grad_cam(tiny(), image, torch.tensor([0, 1]))
    assert came.tolist() == [[[2.0, 0.0], [6.0, 0.0]], [[0.0, 4.0], [0.0, 0.0]]]


def test_maps_are_those_behind_the_relu():
    image = torch.tensor([[[[1.0, -2.0], [3.0, 0.0]]]])
    # 3 relu(x) + relu(-x)
    [came] = grad_cam(tiny([nn.ReLU()]), image, torch.tensor([0]))
    assert came.tolist() == [[3.0, 2.0], [9.0, 0.0]]


def test_an_image_does_not_see_the_others():
    module = build_model(ResNet10(width=1 / 16, norm="batch"), (1, 8, 8), 3)
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    classes = torch.tensor([2, 0, 1])
    together = grad_cam(module, images, classes)
    for k in range(3):
        [alone] = grad_cam(module, images[k : k + 1], classes[k : k + 1])
        torch.testing.assert_close(alone, together[k])


@pytest.mark.parametrize(("model", "size"), NETWORKS, ids=lambda value: getattr(value, "kind", ""))
def test_every_convolutional_model_has_maps_of_the_images_size(model, size):
    channels = 3 if isinstance(model, Vgg9) else 1
    module = build_model(model, (channels, size, size), 10).train()
    images = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    came = grad_cam(module, images, torch.tensor([0, 9]))
    assert came.shape == (2, size, size)
    assert came.min() >= 0
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_last_maps_of_a_block_are_the_blocks():
    module = build_model(ResNet10(width=1 / 16), (1, 8, 8), 3)
    assert type(last_maps(module)).__name__ == "_Block"
    assert isinstance(last_maps(build_model(SpmcCnn(), (1, 28, 28), 10)), nn.ReLU)


def test_what_has_no_convolutions_is_refused():
    module = build_model(Mlp(), (1, 8, 8), 3)
    with pytest.raises(ValueError, match="needs a model with convolutions"):
        grad_cam(module, torch.zeros(1, 1, 8, 8), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"must be images .* got \(1, 64\)"):
        grad_cam(tiny(), torch.zeros(1, 64), torch.tensor([0]))
