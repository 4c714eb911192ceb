"""What a behaviour is asked: by the state machine that sends, and by the learner that crafts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from p2pfl.seeding import stream

if TYPE_CHECKING:
    from p2pfl.types import Matrix, Vector


class Outgoing(NamedTuple):
    """A message that an adversary is about to send."""

    destination: int
    round: int
    """As it claims."""
    message: object
    """A handle: it is passed on, never looked into."""
    after_ns: int = 0
    """How long it is held back."""
    answers: int = 0
    """As of the message itself: which round's ask it answers, where peers ask one another."""


Messages: TypeAlias = Mapping[int, object]
"""By peer."""


class Scene(NamedTuple):
    """What an adversary knows when it sends, contents apart."""

    me: int
    round: int
    """Its own."""
    seed: int
    targets: tuple[int, ...]
    """All to whom it may ever send, ascending."""
    sent: Mapping[int, Messages] = {}
    """What it crafted in earlier rounds, by round and receiver, as many as ``remembers`` says."""
    heard: Mapping[int, Messages] = {}
    """The same of what its neighbours sent to it, by the round that they claim and by sender."""


Told: TypeAlias = tuple[Sequence[Outgoing], Mapping[str, object] | None]
"""What is sent instead, and what the record says of it; None: it is as it was."""


class Neutral:
    """Changes nothing. Behaviours derive from it and have no state: a scene tells them all."""

    __slots__ = ()

    several: ClassVar[bool] = False
    """Whether ``rows`` may make equal messages differ."""
    listens: ClassVar[bool] = False
    """Whether the adversary waits for its neighbours' messages before it crafts its own."""
    among_peers: ClassVar[bool] = False
    """Whether it takes several receivers, so that a client of a server cannot do it."""

    @property
    def remembers(self) -> int:
        """For how many rounds messages are to be remembered."""
        return 0

    @property
    def wait_s(self) -> float | None:
        """Longest wait before it crafts; None: as the protocol says."""
        return None

    def sends(self, outgoing: Sequence[Outgoing], scene: Scene) -> Told:
        """To whom, when, which message, with which claimed round. Pure."""
        return outgoing, None

    def rows(self, crafted: "Matrix", honest: "Vector", start: "Vector", scene: Scene) -> "Matrix":
        """(k, d): what each target gets.

        Args:
            crafted: (k, d) by the attack, one row per target.
            honest: (d,) what its own training gave.
            start: (d,) what the training began at.
            scene: Without messages.
        """
        return crafted

    def claims(self, samples: int) -> int:
        """How many training samples its messages claim, of so many."""
        return samples


@lru_cache(maxsize=4096)
def some_of(
    purpose: str, seed: int, me: int, targets: tuple[int, ...], share: float
) -> frozenset[int]:
    """So large a share of the targets, drawn once: the nearest number, a half rounded down.

    Each has a draw of its own, and those with the smallest are taken: who joins the targets moves
    no other's draw.
    """
    draws = {target: stream(seed, purpose, me, target).random() for target in targets}
    count = ceil(share * len(targets) - 0.5)
    return frozenset(sorted(targets, key=lambda target: (draws[target], target))[:count])


def chosen(
    purpose: str, scene: Scene, share: float, peers: tuple[int, ...] | None
) -> frozenset[int]:
    """The receivers that a behaviour singles out: those named, or a share of the targets."""
    if peers is not None:
        return frozenset(peers)
    return some_of(purpose, scene.seed, scene.me, scene.targets, share)


def check_some(share: float, peers: tuple[int, ...] | None) -> None:
    """The two fields that say whom a behaviour singles out."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    if peers is not None and (len(set(peers)) < len(peers) or min(peers, default=0) < 0):
        raise ValueError(f"peers must be ids >= 0, each once, got {list(peers)}")
