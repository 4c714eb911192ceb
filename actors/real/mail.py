"""What shells are made of, what they tell one another, and what they report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from actors.observer import EdgeCounts
from actors.protocols.events import Observed, PeerProtocol, Received, Work
from actors.real.journal import Entry
from actors.transport import AtDownlink
from graphs.links import Links


class Ended(NamedTuple):
    """A peer has ended, after so many messages to this one."""

    peer: int
    messages: int


class Mail(NamedTuple):
    """What one shell tells another: something that happens there at a time."""

    source: int
    asked_ns: int
    """When it was sent."""
    at_ns: int
    event: Received | AtDownlink | Observed | Ended


class Post(Protocol):
    """Brings mail to other shells."""

    def __call__(self, destination: int, mail: Mail) -> None:
        """Neither waits nor fails: who is gone hears nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellSpec:
    """What a shell is made of. Can be sent to another process."""

    peer: int
    machine: PeerProtocol
    links: Links
    """Those that lead from it; and its downlink."""
    targets: tuple[int, ...]
    """To whom it sends, ascending."""
    senders: tuple[int, ...]
    message_bytes: Sequence[int]
    """Size of each peer's messages on the wire."""
    work_ns: Callable[[int, Work], int]
    """Modelled time of a peer's work."""
    measured: bool = False
    """Whether work takes the time that it takes instead; but for resting."""
    crafts: int = 1
    """How many updates its ``craft`` returns."""
    watchers: tuple[int, ...] = ()
    """The adversaries that see what it trained."""
    watches: tuple[int, ...] = ()
    """Whose training it sees, if it is one."""
    messages: bool = False
    keeps_models: bool = False
    prepares: bool = False
    ends_ns: int | None = None
    """When the run ends, whatever is not done; None: when nothing is left to happen."""


class Report(NamedTuple):
    """How a shell stands."""

    peer: int
    now_ns: int
    entries: Sequence[Entry]
    """What happened since the last report."""
    until_ns: int
    """Up to then no more entries will come."""
    idle: bool
    """Whether nothing more happens to it, but for what others may send."""
    cut_short: bool
    """Whether the run's end came before its own."""
    posted: Mapping[int, int]
    taken: Mapping[int, int]
    """Mail to and from each other peer."""
    counts: Mapping[tuple[int, int], EdgeCounts]
    """Its half of each edge: what it sent and lost on those from it, what came on those to it."""
    sent_bytes: int
