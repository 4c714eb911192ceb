"""Hear the neighbours first, then craft.

Source
    R. Canetti. "Security and Composition of Multiparty Cryptographic Protocols." Journal of
    Cryptology 13(1), 2000: a rushing adversary sees the honest messages of a round before it
    chooses its own.
"""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

from p2pfl.behaviours.base import Neutral


@dataclass(frozen=True, slots=True, kw_only=True)
class Rushing(Neutral):
    """Hear the neighbours' messages of the round before crafting one's own.

    The attack is shown them, and ``full`` knowledge is then what it has heard. Of others it is
    shown its coalition at most; an attack that looks at its coalition alone
    (``knowledge: colluding``) makes nothing of what it hears. It does not wait for adversaries that
    rush as well. With ``fast_links`` its message may still be there before those that it has heard
    are with others. Where peers go their own pace, nobody waits, and it knows what has come.
    """

    listens: ClassVar[bool] = True
    among_peers: ClassVar[bool] = True

    at_most_s: float | None = None
    """Longest wait, in virtual seconds from when it has trained, > 0; then it crafts with those
    that have come. Null: the protocol's timeout."""
    kind: Literal["rushing"] = "rushing"

    def __post_init__(self) -> None:
        if self.at_most_s is not None and not (isfinite(self.at_most_s) and self.at_most_s > 0):
            raise ValueError(
                f"at_most_s must be a finite number of seconds > 0, or null, got {self.at_most_s}"
            )

    @property
    def wait_s(self) -> float | None:
        """As set."""
        return self.at_most_s
