"""The rows of a run folder's files: what each event, evaluation and decision comes to."""

import csv
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from actors.host import Consensus, Evaluated
from actors.lost import Lost
from actors.observer import EdgeCounts
from actors.protocols.events import Envelope, Handle
from p2pfl.learner.decision import Decision
from scenarios.files import replace_file
from scenarios.growing import GrowingFiles
from scenarios.tally import Tally
from scenarios.watcher import Watcher

METRICS = ("time_s", "round", "peer", "role", "metric", "value")
EDGES = ("time_s", "round", "peer", "sender", "sender_role", "staleness", "influence", "flagged")
DECISIONS = ("time_s", "round", "peer", "sender", "quantity", "value")
MESSAGES = (
    "source", "destination", "sent", "bytes", "delivered", "dropped", "late", "rejected",
    "accepted", "waiting", "in_flight", "duplicated", "retried",
)  # fmt: skip


class Row(NamedTuple):
    """Something that happened, and the handle of its content, if that is still being computed."""

    now_ns: int
    peer: int
    round: int
    what: str
    data: Mapping[str, object] = {}
    handle: Handle | None = None


class Tables:
    """Writes the CSV files and events.jsonl."""

    def __init__(
        self,
        folder: Path,
        roles: Sequence[str],
        watcher: Watcher,
        messages: bool = False,
        lengths: Mapping[str, int] | None = None,
    ) -> None:
        """Open the files.

        Args:
            folder: The run folder, which exists.
            roles: ``benign``, ``adversary`` or ``server``, by peer.
            watcher: Told as rows are written.
            messages: Whether to write messages.jsonl, one line per message and step.
            lengths: Bytes of each file, as ``sync`` gave them, of a run that goes on: what is
                behind them is cut off. None begins anew.
        """
        self.tally = Tally(roles)
        """What it has written, counted."""
        self._folder = folder
        self._watcher = watcher
        self._files = files = GrowingFiles(folder, lengths)
        self._metrics: Any = csv.writer(files.open("metrics.csv", METRICS), lineterminator="\n")
        self._edges = files.open("edges.csv", EDGES)
        self._decisions = files.open("decisions.csv", DECISIONS)
        self._events = files.open("events.jsonl")
        self._messages = files.open("messages.jsonl") if messages else None

    def sync(self) -> dict[str, int]:
        """Have everything on the disk; returns the length of each file in bytes."""
        return self._files.sync()

    def flush(self) -> None:
        """Hand everything to the system, so that a killed run leaves it."""
        self._files.flush()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def message(self, now_ns: int, what: str, envelope: Envelope) -> None:
        """One step of one message, if these are recorded."""
        assert self._messages is not None
        line = {
            "time_s": now_ns / 1e9, "event": what, "source": envelope.source,
            "destination": envelope.destination, "round": envelope.round,
            "bytes": envelope.size_bytes,
        }  # fmt: skip
        self._messages.write(json.dumps(line) + "\n")

    def write(self, row: Row, content: object) -> None:
        """Append what came of a row, whose content is at hand now (None: it has none)."""
        if isinstance(content, Lost):
            self.tally.lose(row.peer, row.round)
        elif isinstance(content, Evaluated):
            self._write_metrics(row, content)
        elif isinstance(content, Consensus):
            self._write_values(row, None, {"consensus_distance": content.distance})
        elif isinstance(content, Decision):
            self._write_decision(row, content)
        else:
            self._write_event(row, row.what, row.data)

    def _write_event(self, row: Row, event: str, data: Mapping[str, object]) -> None:
        self.tally.counts[event] += 1
        if event == "round_end":
            self.tally.done[row.peer] = row.round
        line = {"time_s": row.now_ns / 1e9, "event": event, "peer": row.peer, "round": row.round}
        if row.peer < 0:  # it concerns no peer alone
            del line["peer"], line["round"]
        self._events.write(json.dumps({**line, **data}, allow_nan=False) + "\n")
        if event == "round_end":
            self._watcher.round_over(row.peer, row.round)

    def _write_metrics(self, row: Row, content: Evaluated) -> None:
        evaluation = content.evaluation
        values = {"accuracy": evaluation.accuracy, "loss": evaluation.loss}
        if evaluation.asr is not None:
            values["asr"] = evaluation.asr
        if evaluation.asr_excluding_target is not None:
            values["asr_excluding_target"] = evaluation.asr_excluding_target
        several = evaluation.asr_by_group if len(evaluation.asr_by_group) > 1 else {}
        for group, success in several.items():
            values[f"asr_group_{group}"] = success.asr
            if success.excluding_target is not None:
                values[f"asr_excluding_target_group_{group}"] = success.excluding_target
        for label, share in enumerate(evaluation.per_class):
            if share == share:  # a class without test samples has none
                values[f"accuracy_class_{label}"] = share
        self._write_values(row, row.peer, {**values, **row.data})
        self.tally.evaluated(row.peer, row.round, content)

    def _write_values(self, row: Row, peer: int | None, values: Mapping[str, Any]) -> None:
        """Rows of metrics.csv: of one peer, or (None) of all benign ones together."""
        time_s = row.now_ns / 1e9
        who = ("", "benign") if peer is None else (peer, self.tally.roles.of(peer, row.round))
        start = (repr(time_s), row.round, *who)
        self._metrics.writerows((*start, name, repr(value)) for name, value in values.items())
        self._watcher.measured(time_s, row.round, peer, values)

    def _write_decision(self, row: Row, decision: Decision) -> None:
        self.tally.received(row.peer, row.round, decision)
        if self.tally.roles.of(row.peer, row.round) == "adversary":
            return
        # Plain lines: csv.writer takes twice as long, and there is a row for every message.
        head = f"{row.now_ns / 1e9!r},{row.round},{row.peer}"
        flagged, roles = decision.flagged or (), self.tally.sent_as(row.round, decision)
        self._edges.writelines(
            f"{head},{sender},{role},{stale},{share!r},{int(sender in flagged)}\n"
            for sender, role, stale, share in zip(
                decision.senders, roles, decision.staleness, decision.influence, strict=True
            )
        )
        for name, numbers in decision.details.items():
            self._decisions.writelines(
                f"{head},{sender},{name},{number!r}\n"
                for sender, number in zip(decision.senders, numbers, strict=True)
            )
        if decision.prepared:
            arrays: dict[str, Any] = dict(decision.prepared)
            np.savez(self._folder / f"dummies_{row.peer}.npz", **arrays)
        if judgement := self.tally.judged(row.round, decision):
            self._write_values(row, row.peer, judgement)
        if decision.rejected:
            self._write_event(row, "rejected", {"senders": list(decision.rejected)})
        if decision.flagged:
            self._write_event(row, "flag", {"senders": list(decision.flagged)})
        if decision.notes:
            # JSON has no NaN and no infinity: these are written as text.
            values = {k: v if isfinite(v) else repr(v) for k, v in decision.notes.items()}
            self._write_event(row, "notes", {"values": values})
        if decision.shortfall is not None:
            self._write_event(row, "shortfall", {"reason": decision.shortfall})

    def write_messages(self, counts: Mapping[tuple[int, int], EdgeCounts]) -> dict[str, int]:
        """Replace messages.csv; returns the totals over all edges."""
        totals = [0] * len(MESSAGES[2:])
        lines = [",".join(MESSAGES)]
        for (source, destination), edge in counts.items():
            rejected = edge.rejected + self.tally.rejected[source, destination]
            accepted = edge.accepted + self.tally.arrived[source, destination]
            # Of a run that ended before its time: what lies in an inbox or in an unwritten merge.
            waiting = edge.arrived - accepted - edge.late - rejected
            row = (
                source, destination, edge.sent, edge.bytes, edge.arrived, edge.dropped, edge.late,
                rejected, accepted, waiting, edge.in_flight, edge.duplicated, edge.retried,
            )  # fmt: skip
            lines.append(",".join(map(str, row)))
            totals = list(map(add, totals, row[2:]))
        replace_file(self._folder / "messages.csv", "\n".join(lines) + "\n")
        return dict(zip(MESSAGES[2:], totals, strict=True)) if counts else {}
