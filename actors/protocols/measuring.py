"""When a peer's model is measured, as its rounds end."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Measuring:
    """After each so many rounds, or after the first round to end in each so many nanoseconds.

    In the midst of a round a model is none that the peer would send: so it is never measured there.
    """

    every: int = 1
    """Rounds; 0: not by rounds."""
    every_ns: int = 0
    """Virtual time; 0: not by time."""
    past: int = 0
    """How many times ``every_ns`` had gone by when it was measured last."""

    @property
    def ever(self) -> bool:
        """Whether it is ever measured."""
        return bool(self.every or self.every_ns)

    def due(self, round_: int, now_ns: int, last: bool) -> bool:
        """Whether to measure behind this round, which ends now and may be the peer's last."""
        if self.every_ns:
            past, self.past = self.past, now_ns // self.every_ns
            return last or self.past > past
        return bool(self.every) and (last or round_ % self.every == 0)
