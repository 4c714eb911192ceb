"""Which messages are lost on a link.

Source
    E. N. Gilbert. "Capacity of a Burst-Noise Channel." Bell System Technical Journal 39, 1960.
    E. O. Elliott. "Estimates of Error Rates for Codes on Burst-Noise Channels." Bell System
    Technical Journal 42, 1963.

Departs from the papers:
    There the channel steps with every bit; here with every message that is put on the link.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphs.checks import check_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Bernoulli:
    """Each message is lost with the same probability: ``drop: 0.02`` says the same."""

    p: float
    """In [0, 1]."""
    kind: Literal["bernoulli"] = "bernoulli"

    def __post_init__(self) -> None:
        check_share("p", self.p)


@dataclass(frozen=True, slots=True, kw_only=True)
class GilbertElliott:
    """Losses come in bursts: each link is good or bad, and changes with every message on it.

    A link is bad for pi = p_good_to_bad / (p_good_to_bad + p_bad_to_good) of its messages, in runs
    of 1 / p_bad_to_good on the mean; it loses (1 - pi) drop_good + pi drop_bad of them. Its first
    state is drawn with these shares.
    """

    p_good_to_bad: float
    """Probability that the next message finds the link bad, after one that found it good."""
    p_bad_to_good: float
    """The other way round. Together they must be > 0."""
    drop_good: float = 0.0
    """Probability that a message is lost while the link is good, in [0, 1]."""
    drop_bad: float = 1.0
    """The same while it is bad."""
    kind: Literal["gilbert_elliott"] = "gilbert_elliott"

    def __post_init__(self) -> None:
        for name in ("p_good_to_bad", "p_bad_to_good", "drop_good", "drop_bad"):
            check_share(name, getattr(self, name))
        if self.p_good_to_bad + self.p_bad_to_good == 0:
            raise ValueError("p_good_to_bad and p_bad_to_good are both 0: the link never changes")

    @property
    def bad_share(self) -> float:
        """Share of the messages that find the link bad."""
        return self.p_good_to_bad / (self.p_good_to_bad + self.p_bad_to_good)

    def bad_next(self, bad: bool | None, u: float) -> bool:
        """The state that a message finds, given what the one before it found and a uniform draw."""
        if bad is None:
            return u < self.bad_share
        return u >= self.p_bad_to_good if bad else u < self.p_good_to_bad


Drop: TypeAlias = Bernoulli | GilbertElliott
DROPS = (Bernoulli, GilbertElliott)
