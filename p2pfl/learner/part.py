"""A peer's share of a data set that all learners of a process have in common.

A learner holds the numbers of its samples. The samples themselves are gathered when it computes,
and those of one learner at a time are kept: a hundred learners in one process, or in ten, hold the
data set once and no copies of its parts. Gathering 60 images of 28 x 28 takes some 20 microseconds,
one step of a small network's training on them a thousand.
"""

from jaxtyping import Float, Int64
from torch import Tensor

from p2pfl.types import Samples


class Whole:
    """All training samples, on the CPU, in memory that nobody writes to."""

    def __init__(
        self, inputs: Float[Tensor, "n ..."], labels: Int64[Tensor, " n"], classes: int
    ) -> None:
        """Hold them; nothing is copied."""
        self._inputs = inputs
        self._labels = labels
        self._classes = classes
        self._last: tuple[Part, Samples] | None = None

    def gathered(self, part: "Part") -> Samples:
        """The samples of a part, in its order; the same object until another part is asked for."""
        if self._last is None or self._last[0] is not part:
            samples = Samples(
                inputs=self._inputs.index_select(0, part.rows),
                labels=self._labels.index_select(0, part.rows),
                classes=self._classes,
            )
            self._last = (part, samples)
        return self._last[1]


class Part:
    """Which samples are one peer's own."""

    def __init__(self, whole: Whole, rows: Int64[Tensor, " m"]) -> None:
        """Hold the indices ``rows``, in the order in which the samples are to be."""
        self._whole = whole
        self.rows = rows

    def samples(self) -> Samples:
        """The samples themselves; not to be kept."""
        return self._whole.gathered(self)
