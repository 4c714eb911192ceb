"""How vectors leave a device: by one page-locked buffer, into memory of their own."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from p2pfl.learner import outward
from p2pfl.learner.outward import Landing, to_host


class Memory:
    """Stands for page-locked memory and for a device to wait for."""

    def __init__(self):
        self.locked = []
        self.waited = []

    def lock(self, values):
        self.locked.append(values)
        return torch.full((values,), torch.nan)

    def wait(self, device):
        self.waited.append(device)


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def landing(memory):
    return Landing(memory.lock, memory.wait)


def test_what_arrives_is_the_messages_own(landing):
    first, second = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    arrays = [landing.take(first), landing.take(second)]
    first.zero_()
    assert [array.tolist() for array in arrays] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert all(array.base is None for array in arrays)


def test_one_buffer_serves_all_that_fit(landing, memory):
    assert [len(landing.take(torch.zeros(d))) for d in (3, 2, 3, 5, 4)] == [3, 2, 3, 5, 4]
    assert memory.locked == [3, 5]


def test_every_copy_is_waited_for(landing, memory):
    landing.take(torch.zeros(2))
    landing.take(torch.zeros(2))
    assert memory.waited == [torch.device("cpu")] * 2


def test_the_copy_itself_does_not_wait(memory):
    asked = []

    class Buffer(torch.Tensor):
        def copy_(self, source, non_blocking=False):
            asked.append(non_blocking)
            return super().copy_(source, non_blocking=non_blocking)

    landing = Landing(lambda values: memory.lock(values).as_subclass(Buffer), memory.wait)
    assert landing.take(torch.ones(2)).tolist() == [1.0, 1.0]
    assert asked == [True]


def test_who_comes_from_a_gpu_lands_there(monkeypatch):
    came = []
    monkeypatch.setattr(outward._LANDING, "take", lambda vector: came.append(vector.device.type))
    with FakeTensorMode():  # a tensor of a device that need not be there
        to_host(torch.empty(3, device="cuda"))
    to_host(torch.zeros(3))
    assert came == ["cuda"]


def test_on_the_cpu_it_is_a_copy():
    vector = torch.tensor([1.0, 2.0])
    array = to_host(vector)
    vector.zero_()
    assert array.tolist() == [1.0, 2.0]
