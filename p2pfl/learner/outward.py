"""Vectors on their way from an actor's device into messages.

A copy from a GPU to ordinary memory goes through page-locked memory of the driver's own, piece by
piece, and holds the caller up at each. A buffer that is page-locked takes it in one transfer; from
there it is copied into memory of the message's own. Page-locked memory is what the whole machine is
short of, so each process keeps one buffer, of the size of the largest vector so far.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from p2pfl.types import Float32Array

Lock: TypeAlias = Callable[[int], Tensor]
Wait: TypeAlias = Callable[[torch.device], None]


def _locked(values: int) -> Tensor:
    return torch.empty(values, dtype=torch.float32, pin_memory=True)


def _arrived(device: torch.device) -> None:
    torch.cuda.current_stream(device).synchronize()


class Landing:
    """Where vectors from a GPU arrive."""

    def __init__(self, lock: Lock = _locked, wait: Wait = _arrived) -> None:
        """Nothing is page-locked before the first vector comes.

        Args:
            lock: Gives page-locked memory for so many float32.
            wait: Until all copies of a device are done.
        """
        self._lock = lock
        self._wait = wait
        self._buffer: Tensor | None = None

    def take(self, vector: Tensor) -> Float32Array:
        """The values of a vector (d,), in memory of their own. Waits for the device."""
        if self._buffer is None or len(self._buffer) < len(vector):
            self._buffer = self._lock(len(vector))
        part = self._buffer[: len(vector)]
        part.copy_(vector, non_blocking=True)
        self._wait(vector.device)
        array: Float32Array = part.numpy().copy()
        return array


_LANDING = Landing()


def to_host(vector: Tensor) -> Float32Array:
    """A float32 vector (d,) as an array of its own: what is done to the vector later moves nothing.

    From a GPU by way of page-locked memory.
    """
    if vector.device.type == "cuda":
        return _LANDING.take(vector)
    array: Float32Array = vector.cpu().numpy().copy()
    return array
