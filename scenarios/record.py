"""The run folder: everything that happens, written as the run goes, in the order of the run.

Rows whose content is still being computed wait in a queue; the longest prefix that is there is
appended. So the files do not depend on which process was fast, and a killed run leaves what it had.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import Any

from actors.executor import Executor, Outcome, Task
from actors.protocols.events import Envelope, Handle
from p2pfl.errors import RunError
from scenarios.tables import Row, Tables

FLUSH_ROWS = 64
"""Look for finished content after so many new rows."""
MOST_FETCHED = 256
"""Contents that are asked for at once."""
MOST_PENDING = 4096
"""Rows that may wait for their content; then the run waits for the first of them."""


class Recorder:
    """The engine's observer: keeps the order, and writes what is there."""

    def __init__(
        self,
        tables: Tables,
        roles: Sequence[str],
        executor: Executor,
        stopping: Callable[[], bool] = lambda: False,
        measured: int | None = None,
    ) -> None:
        """Start with an empty queue.

        Args:
            tables: Where rows go.
            roles: ``benign`` or ``adversary``, by peer.
            executor: Who has the content of the rows.
            stopping: Asked while it waits for content.
            measured: How many benign peers are measured; None: all.
        """
        self.tables = tables
        self.rounds_over = 0
        """Rounds that peers have ended."""
        self._measured = roles.count("benign") if measured is None else measured
        self._executor = executor
        self._stopping = stopping
        self._rows: deque[Row] = deque()
        self._flush_at = FLUSH_ROWS
        self._models: dict[int, dict[int, Handle]] = {}

    # ------------------------------------------------------------ what the engine says

    def note(
        self, now_ns: int, peer: int, event: str, round_: int, data: Mapping[str, object]
    ) -> None:
        """A line for the timeline."""
        self.rounds_over += event == "round_end"
        if event == "turned":
            self.tables.tally.roles.turn(peer, round_, str(data["role"]))
        self._add(Row(now_ns, peer, round_, event, data))

    def merged(self, now_ns: int, peer: int, round_: int, summary: Handle) -> None:
        """A merge: rows of edges.csv, and flags and shortfalls for the timeline."""
        self._add(Row(now_ns, peer, round_, "merge", handle=summary))

    def evaluated(
        self, now_ns: int, peer: int, round_: int, outcome: Outcome, sent_bytes: int
    ) -> None:
        """An evaluation: rows of metrics.csv; and one for all benign peers behind the last."""
        sent = {"bytes_sent": sent_bytes}
        self._add(Row(now_ns, peer, round_, "evaluate", sent, outcome.summary))
        if outcome.updates and self.tables.tally.roles.of(peer, round_) == "benign":
            models = self._models.setdefault(round_, {})
            models[peer] = outcome.updates[0]
            if len(models) == self._measured:
                handles = [models[k] for k in sorted(models)]
                measured = self._executor.submit(peer, Task("consensus", round_), handles)
                self._add(Row(now_ns, peer, round_, "consensus", handle=measured.summary))
                # Who is past this round is past all before it: those will never be complete.
                self._models = {r: kept for r, kept in self._models.items() if r > round_}

    def message(self, now_ns: int, what: str, envelope: Envelope) -> None:
        """One step of one message, if these are recorded."""
        self.tables.message(now_ns, what, envelope)

    # ------------------------------------------------------------ snapshots

    def state(self) -> dict[str, Any]:
        """What it remembers when all rows are written, as plain data with handles in it."""
        assert not self._rows
        return {
            "rounds_over": self.rounds_over,
            "models": self._models,
            "tables": self.tables.tally.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        self.rounds_over = state["rounds_over"]
        self._models = state["models"]
        self.tables.tally.restore(state["tables"])

    # ------------------------------------------------------------ queue

    def finish(self) -> bool:
        """Write all rows, however long their content takes; False if told to stop before."""
        while self._rows and not self._stopping():
            self.flush(0.5)
        return not self._rows

    def salvage(self, timeout_s: float) -> None:
        """Write what can be had within ``timeout_s``, of a run that will not go on."""
        until = monotonic() + timeout_s
        while self._rows and monotonic() < until:
            before = len(self._rows)
            try:
                self.flush(max(0.0, until - monotonic()))
            except RunError:
                return
            if len(self._rows) == before:
                return

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= self._flush_at:
            self.flush(0.0)
            self._flush_at = len(self._rows) + FLUSH_ROWS
            while len(self._rows) > MOST_PENDING and not self._stopping():
                self.flush(0.5)

    def flush(self, timeout_s: float) -> None:
        """Append the longest prefix whose content is there after at most ``timeout_s``.

        Raises:
            RunError: If a row's content cannot be had any more. What stands before it is written.
        """
        pending = (row.handle for row in self._rows if row.handle is not None)
        handles = list(islice(pending, MOST_FETCHED))
        there = self._executor.resolved(handles, timeout_s) if handles else 0
        try:
            contents = iter(self._executor.fetch(handles[:there]) if there else [])
        except RunError:
            contents = iter(self._fetch_one_by_one(handles[:there]))
            self._write_with(contents)
            raise
        self._write_with(contents)

    def _fetch_one_by_one(self, handles: Sequence[Handle]) -> list[object]:
        contents: list[object] = []
        for handle in handles:
            try:
                contents += self._executor.fetch([handle])
            except RunError:
                break
        return contents

    def _write_with(self, contents: Iterator[object]) -> None:
        while self._rows:
            row, content = self._rows[0], None
            if row.handle is not None:
                content = next(contents, None)
                if content is None:
                    break
            self._rows.popleft()
            self.tables.write(row, content)
        self.tables.flush()
