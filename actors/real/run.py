"""A run under the real clock, as whoever records it sees it: where the engine is otherwise."""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Literal, TypeAlias

from actors.executor import Outcome
from actors.lost import Lost
from actors.observer import EdgeCounts, Observer
from actors.real.fleet import Fleet
from actors.real.journal import Entry, Late, Step
from actors.real.mail import Report, ShellSpec
from actors.together import Box

LOOK_EVERY_S = 0.1
"""How often the shells are asked how they stand."""

_Mail: TypeAlias = tuple[bool, frozenset[tuple[int, int, int]], frozenset[tuple[int, int, int]]]


class RealRun:
    """Begins the shells, gathers what they say in the order of its time, and sees when it is over.

    It is over when twice in a row nobody has anything to do and all mail has come that was posted,
    the same both times (Mattern, "Algorithms for distributed termination detection", Distributed
    Computing 2, 1987: the four counters).
    """

    def __init__(
        self,
        fleet: Fleet,
        shells: Sequence[ShellSpec],
        observer: Observer,
        late: Callable[[int, Late], None],
    ) -> None:
        """Nothing begins before ``run``.

        Args:
            fleet: Who computes and lives.
            shells: One per peer, by id.
            observer: Who writes down what happens.
            late: Who writes down, with the time, how long something took.
        """
        self.now_ns = 0
        self.spent: Literal["bytes", "virtual_s"] | None = None
        self._fleet = fleet
        self._shells = shells
        self._observer = observer
        self._late = late
        self._begun = False
        self._last: dict[int, Report] = {}
        self._rounds: dict[int, int] = {}
        self._sent_bytes: dict[int, int] = {}
        self._lost: set[int] = set()
        self._waiting: list[tuple[int, int, Entry]] = []
        self._sequence = 0

    @property
    def counts(self) -> dict[tuple[int, int], EdgeCounts]:
        """What became of the messages of each directed edge: both ends' halves."""
        edges = sorted((s.peer, target) for s in self._shells for target in s.targets)
        counts = {edge: EdgeCounts() for edge in edges}
        for report in self._last.values():
            for edge, half in report.counts.items():
                if edge in counts:
                    counts[edge] = counts[edge].plus(half)
        return counts

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Run to the end, or until ``stopping()`` says so. Returns whether the end was reached."""
        if not self._begun:
            self._fleet.begin(self._shells)
            self._begun = True
        before: _Mail | None = None
        while not stopping():
            reports = self._fleet.reports(LOOK_EVERY_S)
            self._gather(reports)
            self._miss_lost()
            now = _mail(reports)
            if before == now and _is_over(now):
                self._write(until_ns=None)
                return True
            before = now
        self._write(until_ns=None)
        return False

    def lose(self, peer: int) -> None:
        """A peer's process died. Whoever waits for it knows already."""

    def _miss_lost(self) -> None:
        """Have it written down that a peer is lost, and tell whoever waits for it."""
        for peer in sorted(self._fleet.lost.keys() - self._lost):
            self._lost.add(peer)
            self._fleet.lose(peer)
            self._observer.merged(self.now_ns, peer, self._rounds.get(peer, 0), Box(Lost()))

    # ------------------------------------------------------------ the record

    def _gather(self, reports: Iterable[Report]) -> None:
        for report in reports:
            self._last[report.peer] = report
            self.now_ns = max(self.now_ns, report.now_ns)
            if report.cut_short:
                self.spent = "virtual_s"
            for entry in report.entries:
                self._sequence += 1
                heappush(self._waiting, (entry.now_ns, self._sequence, entry))
        self._write(min((report.until_ns for report in reports), default=None))

    def _write(self, until_ns: int | None) -> None:
        """Whatever happened until then: nothing that happened before it will come later."""
        while self._waiting and (until_ns is None or self._waiting[0][0] <= until_ns):
            self._tell(heappop(self._waiting)[2])

    def _tell(self, entry: Entry) -> None:
        now_ns, peer, what = entry
        observer = self._observer
        if isinstance(what, Late):
            self._late(now_ns, what)
        elif isinstance(what, Step):
            observer.message(now_ns, what.what, what.envelope)
        elif what.event == "merge":
            observer.merged(now_ns, peer, what.round, Box(what.results[-1]))
        elif what.event == "evaluate":
            *models, summary = map(Box, what.results)
            outcome = Outcome(tuple(models), summary)
            total = sum({**self._sent_bytes, peer: what.sent_bytes}.values())
            observer.evaluated(now_ns, peer, what.round, outcome, total)
        else:
            self._rounds[peer] = what.round
            self._sent_bytes[peer] = what.sent_bytes
            observer.note(now_ns, peer, what.event, what.round, what.data)


def _mail(reports: Sequence[Report]) -> _Mail:
    """Whether all are idle, and what was posted and taken among those that are left."""
    left = {report.peer for report in reports}
    posted = {(r.peer, to, k) for r in reports for to, k in r.posted.items() if to in left}
    taken = {(by, r.peer, k) for r in reports for by, k in r.taken.items() if by in left}
    return all(report.idle for report in reports), frozenset(posted), frozenset(taken)


def _is_over(mail: _Mail) -> bool:
    idle, posted, taken = mail
    return idle and posted == taken
