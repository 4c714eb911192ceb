"""A gradient for each of several classes at one model: one by one, and in one pass for all.

This is what a client of DeSGD computes in a round, with a mini-batch of each of its classes. In one
pass: by ``vmap`` of the gradient; and from a common forward pass, whose losses are then
differentiated one by one. What no such form can beat is a single gradient of all samples together.
One thread; time is that of the thread, and the forms take turns.

Run ``python tests/benchmarks/class_gradients.py``; ``--repeats N`` for more or fewer.
"""

import argparse
from collections.abc import Callable, Mapping
from time import thread_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from p2pfl.models import Cnn, Logistic, Mlp, build_model
from p2pfl.vectors import FlatModel

BATCH = 50
MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "logistic": (Logistic(), (1, 28, 28)),
    "mlp": (Mlp(), (1, 28, 28)),
    "cnn, 8 x 8": (Cnn(kernel=3, padding=1), (1, 8, 8)),
    "cnn of DeSGD": (Cnn(padding=1), (1, 28, 28)),
}


def forms(module: nn.Module, shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    """Each gives (classes, p); ``all together`` the single gradient (p,)."""
    flat, generator = FlatModel(module), torch.Generator().manual_seed(0)
    inputs = torch.rand(classes, BATCH, *shape, generator=generator)
    labels = torch.arange(classes).repeat_interleave(BATCH).view(classes, BATCH)
    tensors, weights = dict(module.named_parameters()), list(module.parameters())

    def gradient(some: Tensor, theirs: Tensor) -> Tensor:
        flat.zero_grad()
        cross_entropy(module(some), theirs).backward()  # type: ignore[no-untyped-call]
        return flat.gradient.clone()

    def loss(parameters: dict[str, Tensor], some: Tensor, theirs: Tensor) -> Tensor:
        return cross_entropy(functional_call(module, parameters, (some,)), theirs)

    mapped = vmap(grad(loss), in_dims=(None, 0, 0))

    def by_vmap() -> Tensor:
        found = mapped(tensors, inputs, labels)
        return torch.cat([found[name].flatten(1) for name in tensors], dim=1)

    def one_forward() -> Tensor:
        logits = module(inputs.flatten(0, 1)).split(BATCH)
        losses = [cross_entropy(part, theirs) for part, theirs in zip(logits, labels, strict=True)]
        rows = [torch.autograd.grad(each, weights, retain_graph=True) for each in losses]
        return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])

    return {
        "loop": lambda: torch.stack([gradient(*pair) for pair in zip(inputs, labels, strict=True)]),
        "vmap": by_vmap,
        "one forward pass": one_forward,
        "all together": lambda: gradient(inputs.flatten(0, 1), labels.flatten()),
    }


def _ms(form: Callable[[], Tensor]) -> float:
    began = thread_time()
    form()
    return 1000 * (thread_time() - began)


def measure(repeats: int = 20) -> dict[str, dict[str, float]]:
    """Least milliseconds of each form by model and number of classes, and how far they differ."""
    torch.set_num_threads(1)
    results = {}
    for name, (model, shape) in MODELS.items():
        for classes in (1, 3, 10):
            some = forms(build_model(model, shape, 10).eval(), shape, classes)
            loop = some["loop"]()
            others = [some["vmap"](), some["one forward pass"]()]
            times: dict[str, list[float]] = {form: [] for form in some}
            for _ in range(repeats):
                for form, run in some.items():
                    times[form].append(_ms(run))
            least = {form: min(of) for form, of in times.items()}
            apart = max(float((other - loop).detach().abs().max()) for other in others)
            results[f"{name}, {classes}"] = {**least, "difference": apart}
    return results


def report(results: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table."""
    print(f"gradients of so many classes, {BATCH} samples each, one thread: ms, and times the loop")
    for name, result in results.items():
        loop = result["loop"]
        parts = [
            f"{k} {v / loop:5.2f}" for k, v in result.items() if k not in ("loop", "difference")
        ]
        print(f"    {name:18} loop {loop:8.2f} ms   {'   '.join(parts)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    report(measure(parser.parse_args().repeats))
