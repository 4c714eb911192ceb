"""Python's collector of cycles, told to look more seldom."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 50_000
"""After so many more objects made than let go it looks at them; Python's own figure is 700."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """For as long as a run lasts. No result changes; the engine carries a quarter more messages.

    A run makes a dozen small tuples for each message and next to no cycles. What is there when it
    begins, such as the modules of torch, is not looked at again until its end.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
