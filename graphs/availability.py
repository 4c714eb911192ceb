"""Who is there when: peers that sit rounds out, or come and go; all events on one timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from graphs.checks import MOST_S, check_lasts, check_share
from graphs.events import TURNS, Change, Crash, Join, NetworkEvent, Rejoin
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream

if TYPE_CHECKING:
    from graphs.types import Graph

CHURN = 2
"""The cause of a change that churn makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Every peer comes and goes: exponential times up and down, all beginning up."""

    mean_up_s: float
    """Mean time that a peer is up, in virtual seconds, in [1e-3, 1e9]."""
    mean_down_s: float
    """Mean time that it is down then, in [1e-3, 1e9]."""
    kind: Literal["session"] = "session"

    def __post_init__(self) -> None:
        check_lasts("mean_up_s", self.mean_up_s)
        check_lasts("mean_down_s", self.mean_down_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Peers come and go as a file says: a line per session with peer, up and down in seconds.

    Separated by commas or blanks; what follows a # is a comment, and so may be the first line. A
    peer that the file does not name is always up; ``inf`` as the end of its last session is for
    good.
    """

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    kind: Literal["trace"] = "trace"

    def read(self, folder: Path) -> dict[int, list[tuple[float, float]]]:
        """The sessions of each peer that is named, in order.

        Raises:
            TopologyError: If the file is not there, a line cannot be read, or two sessions of one
                peer overlap. Names the file and the line.
        """
        file = folder / self.path
        if not file.is_file():
            raise TopologyError(
                f"trace: there is no file {self.path!r}; looked for {file.absolute()}"
            )
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, OSError) as error:
            raise TopologyError(f"{file} cannot be read as text: {error}") from error
        sessions: dict[int, list[tuple[float, float]]] = {}
        for number, line in enumerate(lines, start=1):
            words = line.partition("#")[0].replace(",", " ").split()
            if not words or (number == 1 and not words[0].isdigit()):
                continue
            where = f"{file}, line {number}"
            try:
                peer, up, down = int(words[0]), float(words[1]), float(words[2])
            except (ValueError, IndexError):
                raise TopologyError(
                    f"{where}: a session is peer, up and down in seconds, got {line.strip()!r}"
                ) from None
            if not 0 <= up < down or len(words) > 3:
                raise TopologyError(f"{where}: 0 <= up < down is needed, got {line.strip()!r}")
            if up > MOST_S or MOST_S < down < inf:
                raise TopologyError(f"{where}: a time is at most 1e9 s, got {line.strip()!r}")
            before = sessions.setdefault(peer, [])
            if before and up < before[-1][1]:
                raise TopologyError(f"{where}: peer {peer} is up already until {before[-1][1]} s")
            before.append((up, down))
        return sessions


Churn: TypeAlias = Session | Trace
CHURNS = (Session, Trace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Who is there: ``{dropout: 0.1, churn: {kind: session, mean_up_s: 60, mean_down_s: 20}}``.

    A server is always there.
    """

    dropout: float = 0.0
    """Probability that a peer sits a round out: it rests as long as it would train, and nobody
    sends to it or waits for it. In [0, 1). Where peers go their own pace it is a round of its own,
    and others do not know: what they send waits for it."""
    churn: Churn | None = None
    """How peers come and go in time; null: all stay. A peer that is down neither computes nor hears
    anything; back again, it ends its round alone and joins the latest of its neighbours'."""

    def __post_init__(self) -> None:
        check_share("dropout", self.dropout)
        if self.dropout == 1:
            raise ValueError("dropout must be < 1, or nobody ever takes part")

    def rests(self, seed: int, peer: int, round_: int) -> bool:
        """Whether a peer sits a round out: a function of its arguments alone."""
        if not self.dropout:
            return False
        return bool(stream(seed, "dropout", peer, round_).random() < self.dropout)


class Sessions(NamedTuple):
    """How long each peer is up and down in turn."""

    seed: int
    peers: tuple[int, ...]
    mean_up_s: float
    mean_down_s: float

    def lasts_ns(self, peer: int, ordinal: int) -> int:
        """Of the k-th period of a peer; from 0, and the even ones are up."""
        mean_s = self.mean_down_s if ordinal % 2 else self.mean_up_s
        drawn = stream(self.seed, "session", peer, ordinal).exponential(1e9 * mean_s)
        return max(1, round(min(drawn, 2.0**53)))


class Timeline(NamedTuple):
    """All that is known beforehand of who is there and which links are open."""

    at_ns: tuple[tuple[int, Change], ...] = ()
    at_round: tuple[tuple[int, Change], ...] = ()
    """Ascending by round; carried out when the first peer begins it."""
    away: tuple[int, ...] = ()
    """Who is not there at the beginning."""
    sessions: Sessions | None = None
    turns: tuple[tuple[int, Change], ...] = ()
    """Who is hostile from which of its rounds on, ascending: adversaries carry these out."""

    def __bool__(self) -> bool:
        return bool(self.at_ns or self.at_round or self.away or self.sessions)


def timeline(
    graph: "Graph",
    availability: Availability,
    events: Sequence[NetworkEvent],
    seed: int,
    folder: Path,
    server: int | None = None,
) -> Timeline:
    """Put a scenario's churn and events on one line.

    Args:
        graph: As the run has it, a server included.
        availability: Churn; dropout is by round and not on it.
        events: In any order.
        seed: The run's seed.
        folder: Where relative paths are looked for.
        server: Its id; it is always there.

    Raises:
        TopologyError: If an event names what is not there, or a peer is to come back that never
            went; or a file cannot be read.
    """
    crashed = _named(events, Crash)
    returning, joining = _named(events, Rejoin), _named(events, Join)
    if never := sorted(returning - crashed):
        raise TopologyError(f"events: rejoin: peers {never} never crash, so they cannot come back")
    at_ns: list[tuple[int, Change]] = []
    at_round: list[tuple[int, Change]] = []
    turns: list[tuple[int, Change]] = []
    for event in events:
        for change in _for_good(event.change(graph, server), crashed - returning):
            if event.at_s is not None:
                at_ns.append((round(1e9 * event.at_s), change))
            elif event.at_round is not None:
                by_round = turns if change.what in TURNS else at_round
                by_round.append((event.at_round, change))
    peers = tuple(sorted(set(graph) - {server}))
    sessions = None
    if isinstance(availability.churn, Session):
        means = availability.churn
        sessions = Sessions(seed, peers, means.mean_up_s, means.mean_down_s)
    elif isinstance(availability.churn, Trace):
        at_ns += _traced(availability.churn.read(folder), peers)
    return Timeline(
        at_ns=tuple(sorted(at_ns, key=lambda each: each[0])),
        at_round=tuple(sorted(at_round, key=lambda each: each[0])),
        away=tuple(sorted(joining)),
        sessions=sessions,
        turns=tuple(sorted(turns, key=lambda each: each[0])),
    )


def _named(events: Sequence[NetworkEvent], kind: type[Crash | Rejoin | Join]) -> set[int]:
    return {peer for event in events if isinstance(event, kind) for peer in event.peers}


def _for_good(change: Change, never_back: set[int]) -> list[Change]:
    """A crash of those who do not come back is a leave."""
    if change.what != "down":
        return [change]
    back = tuple(peer for peer in change.peers if peer not in never_back)
    gone = tuple(peer for peer in change.peers if peer in never_back)
    return [c for c in (change._replace(peers=back), Change("leave", gone)) if c.peers]


def _traced(
    sessions: dict[int, list[tuple[float, float]]], peers: Sequence[int]
) -> list[tuple[int, Change]]:
    if unknown := sorted(set(sessions) - set(peers)):
        raise TopologyError(f"trace: there are peers 0 to {len(peers) - 1}, not {unknown}")
    changes: list[tuple[int, Change]] = []
    for peer, periods in sorted(sessions.items()):
        if periods[0][0] > 0:
            changes.append((0, Change("down", (peer,), cause=CHURN)))
        for k, (up, down) in enumerate(periods):
            if up > 0:
                changes.append((round(1e9 * up), Change("up", (peer,), cause=CHURN)))
            if isfinite(down):
                last = k == len(periods) - 1
                what: Literal["leave", "down"] = "leave" if last else "down"
                changes.append((round(1e9 * down), Change(what, (peer,), cause=CHURN)))
    return changes
