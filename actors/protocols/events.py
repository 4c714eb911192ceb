"""What goes into a protocol (events) and what comes out of it (effects).

A *handle* stands for the result of work: it is passed on, never looked into. Events and effects
are plain data, so that a protocol can be driven by hand, at any speed and without a network.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from graphs.events import Change
from p2pfl.learner.conduct import Stance

Handle: TypeAlias = object
"""The executor's reference to one object: a Ray reference, or the object itself."""

WorkKind: TypeAlias = Literal[
    "train", "offer", "craft", "merge", "meet", "step", "instruct", "answer", "rest"
]
"""``meet`` is a merge with one neighbour, ``step`` takes what training found; both under
``pairwise``. ``rest`` is no work: it takes as long as training."""

MERGES = ("merge", "meet")


class Envelope(NamedTuple):
    """One message on its way. ``round`` is what the sender claims."""

    source: int
    destination: int
    round: int
    size_bytes: int
    handle: Handle
    answers: int = 0
    """The round of the message that it claims to answer; 0: it answers none."""


class Parcel(NamedTuple):
    """A message that is about to be merged, with the round it claims."""

    sender: int
    round: int
    handle: Handle


# ---------------------------------------------------------------- events


class Started(NamedTuple):
    """The run begins."""


class Received(NamedTuple):
    """A message arrived."""

    envelope: Envelope


class WorkDone(NamedTuple):
    """Work that this peer asked for is finished in virtual time."""

    kind: WorkKind
    round: int
    handles: tuple[Handle, ...]
    """The updates that came of it."""
    summary: Handle


class Observed(NamedTuple):
    """An adversary's knowledge shows it what another peer trained."""

    peer: int
    round: int
    handle: Handle


class Turned(NamedTuple):
    """From now on other peers are hostile, or attack."""

    change: Change


class TimerFired(NamedTuple):
    """A timer that this peer set has run out."""

    tag: tuple[str, int]


class Resolved(NamedTuple):
    """The summary that this peer needed."""

    tag: str
    summary: object


class Gone(NamedTuple):
    """A neighbour has ended, and nothing of it is in flight any more; or an adversary was shown
    what that peer trained, and it was lost."""

    peer: int


class Away(NamedTuple):
    """Nothing comes of a neighbour for now: it is down, or the link from it."""

    peer: int


class Back(NamedTuple):
    """A neighbour that was away is there again."""

    peer: int


class Returned(NamedTuple):
    """This peer was down, and is back."""

    round: int
    """The latest round that a neighbour of it is in."""
    anew: bool
    """Whether its model and its memory are those of the beginning, and nothing that it asked for
    will come."""


class BudgetSpent(NamedTuple):
    """The run ends now, in the midst of this peer's round. It may conclude, and nothing else."""


Event: TypeAlias = (
    Started
    | Received
    | WorkDone
    | Observed
    | Turned
    | TimerFired
    | Resolved
    | Gone
    | Away
    | Back
    | Returned
    | BudgetSpent
)


# ---------------------------------------------------------------- effects


class Work(NamedTuple):
    """Compute at this peer's actor; comes back as WorkDone after its modelled time."""

    kind: WorkKind
    round: int
    inputs: tuple[Parcel, ...] = ()
    """What a merge merges, or what a craft may look at; ascending by sender."""
    own: Handle | None = None
    """This peer's own message of the round, for a merge that prepares messages."""
    clients: tuple[int, ...] = ()
    """To whom an ``instruct`` is addressed."""
    outputs: int = 1
    """How many updates come of it; a ``merge`` has none."""
    stance: Stance = "benign"
    members: tuple[int, ...] = ()
    """An adversary's coalition at present, ascending."""


class Evaluate(NamedTuple):
    """Measure this peer's model now; takes no virtual time and is never waited for."""

    round: int


class Conclude(NamedTuple):
    """Go back to the model of this round, the last that the peer has finished, for good."""

    round: int


class Send(NamedTuple):
    """Put one update on the link to a neighbour."""

    destination: int
    round: int
    handle: Handle
    answers: int = 0
    """The round of the message that it answers; 0: none."""


class SetTimer(NamedTuple):
    """Ask for TimerFired(tag) after some time."""

    after_ns: int
    tag: tuple[str, int]


class Need(NamedTuple):
    """Ask for the content of a summary: Resolved(tag, ...) at the same virtual time."""

    handle: Handle
    tag: str


class Count(NamedTuple):
    """What became of a message from ``sender`` that is in no merge."""

    sender: int
    what: Literal["accepted", "late", "rejected"]
    """accepted: a client follows it; late and rejected: nobody will use it."""


class Note(NamedTuple):
    """A line for the timeline."""

    event: str
    round: int
    data: Mapping[str, object] = {}


class Finished(NamedTuple):
    """This peer has done all its rounds."""


Effect: TypeAlias = Work | Evaluate | Conclude | Send | SetTimer | Need | Count | Note | Finished


class PeerProtocol(Protocol):
    """Events in, effects out; the same events give the same effects. No clock, no I/O."""

    def on(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """React to one event."""
        ...
