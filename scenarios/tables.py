"""The files of a run folder that grow: each row as the run gives it, and the sums over all."""

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum, isfinite
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from actors.host import Consensus, Evaluated
from actors.lost import Lost
from actors.observer import EdgeCounts
from actors.protocols.events import Envelope, Handle
from p2pfl.learner.decision import Decision
from p2pfl.metrics import FlagRates, flag_rates
from scenarios.files import replace_file
from scenarios.roles import Roles
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
    """Writes the CSV files and events.jsonl; counts for the summary."""

    def __init__(
        self,
        folder: Path,
        roles: Roles,
        watcher: Watcher,
        messages: bool = False,
        lengths: Mapping[str, int] | None = None,
    ) -> None:
        """Open the files.

        Args:
            folder: The run folder, which exists.
            roles: Of all peers; who has the run's observer keeps them up to date.
            watcher: Told as rows are written.
            messages: Whether to write messages.jsonl, one line per message and step.
            lengths: Bytes of each file, as ``sync`` gave them, of a run that goes on: what is
                behind them is cut off. None begins anew.
        """
        self.counts: Counter[str] = Counter()
        self.final: dict[int, Evaluated] = {}
        self.curve: dict[int, dict[int, float]] = {}
        """Accuracy by peer, by round in which it was measured."""
        self.done: dict[int, int] = {}
        """The last round that each peer has finished."""
        self.lost: dict[int, int] = {}
        """Peers whose process died, and the round of the first result that did not come."""
        self.first_at: dict[str, str] = {}
        self.evaluate_s = 0.0
        self.rates: list[FlagRates] = []
        """Of each merge of a benign peer, if the defense judges."""
        self.influence: list[float] = []
        """Share of adversaries in each merge of a benign peer."""
        self._folder = folder
        self.roles = roles
        self._hostile = "adversary" in roles.at_last()
        self._watcher = watcher
        self._lengths = lengths
        self._judged: dict[int, Counter[str]] = {}
        self._accepted: Counter[tuple[int, int]] = Counter()
        self._rejected: Counter[tuple[int, int]] = Counter()
        self._files: dict[str, TextIO] = {}
        self._metrics: Any = csv.writer(self._open("metrics.csv", METRICS), lineterminator="\n")
        self._edges = self._open("edges.csv", EDGES)
        self._decisions = self._open("decisions.csv", DECISIONS)
        self._events = self._open("events.jsonl")
        self._messages = self._open("messages.jsonl") if messages else None

    def _open(self, name: str, header: Sequence[str] = ()) -> TextIO:
        path = self._folder / name
        if self._lengths is not None:
            os.truncate(path, self._lengths[name])
        file = path.open("w" if self._lengths is None else "a", encoding="utf-8", newline="")
        self._files[name] = file
        if header and self._lengths is None:
            file.write(",".join(header) + "\n")
        return file

    def state(self) -> dict[str, Any]:
        """What it has counted, as plain data. What it has written, ``sync`` says."""
        return {
            "counts": dict(self.counts),
            "final": self.final,
            "curve": self.curve,
            "done": self.done,
            "lost": self.lost,
            "judged": {round_: dict(of) for round_, of in self._judged.items()},
            "first_at": self.first_at,
            "evaluate_s": self.evaluate_s,
            "rates": self.rates,
            "influence": self.influence,
            "accepted": dict(self._accepted),
            "rejected": dict(self._rejected),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        self.counts = Counter(state["counts"])
        self.final = state["final"]
        self.curve = state["curve"]
        self.done = state["done"]
        self.lost = state["lost"]
        self._judged = {round_: Counter(of) for round_, of in state["judged"].items()}
        self.first_at = state["first_at"]
        self.evaluate_s = state["evaluate_s"]
        self.rates = state["rates"]
        self.influence = state["influence"]
        self._accepted = Counter(state["accepted"])
        self._rejected = Counter(state["rejected"])

    def sync(self) -> dict[str, int]:
        """Have everything on the disk; returns the length of each file in bytes."""
        self.flush()
        for file in self._files.values():
            os.fsync(file.fileno())
        return {name: os.fstat(file.fileno()).st_size for name, file in self._files.items()}

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
            self._lose(row.peer, row.round)
        elif isinstance(content, Evaluated):
            self._write_metrics(row, content)
        elif isinstance(content, Consensus):
            row_of_all = (repr(row.now_ns / 1e9), row.round, "", "benign")
            self._metrics.writerow((*row_of_all, "consensus_distance", repr(content.distance)))
        elif isinstance(content, Decision):
            self._write_decision(row, content)
        else:
            self._write_event(row, row.what, row.data)

    def _lose(self, peer: int, round_: int) -> None:
        self.lost.setdefault(peer, round_)
        self.final.pop(peer, None)

    def _write_event(self, row: Row, event: str, data: Mapping[str, object]) -> None:
        self.counts[event] += 1
        if event == "round_end":
            self.done[row.peer] = row.round
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
        start = (repr(row.now_ns / 1e9), row.round, row.peer, self._role(row))
        measured = {**values, **row.data}
        self._metrics.writerows((*start, name, repr(value)) for name, value in measured.items())
        self.final[row.peer] = content
        self.curve.setdefault(row.round, {})[row.peer] = evaluation.accuracy
        self.evaluate_s += content.seconds
        self._watcher.accuracy(row.peer, row.round, evaluation.accuracy)

    def _write_decision(self, row: Row, decision: Decision) -> None:
        for sender in decision.senders:
            self._accepted[sender, row.peer] += 1
        for sender in decision.missing:
            self._lose(sender, row.round)
        for sender in decision.rejected:
            self._rejected[sender, row.peer] += 1
            if self.roles.of(sender, row.round) == "benign":
                self.counts["benign_rejected"] += 1
                self.first_at.setdefault("benign_rejected", f"{sender} in round {row.round}")
        if self._role(row) == "adversary":
            return
        # Plain lines: csv.writer takes twice as long, and there is a row for every message.
        head = f"{row.now_ns / 1e9!r},{row.round},{row.peer}"
        flagged, roles = decision.flagged or (), self._roles_of(row, decision)
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
        hostile = {
            s for s, role in zip(decision.senders, roles, strict=True) if role == "adversary"
        }
        self._write_judgement(row, decision, hostile)
        self._count_accepted(row, decision, hostile)
        self.counts["merges"] += 1
        if decision.rejected:
            self._write_event(row, "rejected", {"senders": list(decision.rejected)})
        if decision.flagged:
            self._write_event(row, "flag", {"senders": list(decision.flagged)})
        if decision.notes:
            # JSON has no NaN and no infinity: these are written as text.
            values = {k: v if isfinite(v) else repr(v) for k, v in decision.notes.items()}
            self._write_event(row, "notes", {"values": values})
        if decision.shortfall is not None:
            self.first_at.setdefault("shortfall", decision.shortfall)
            self._write_event(row, "shortfall", {"reason": decision.shortfall})
        if decision.unguaranteed is not None:
            self.counts["unguaranteed"] += 1
            self.first_at.setdefault("unguaranteed", decision.unguaranteed)

    def _role(self, row: Row) -> str:
        return self.roles.of(row.peer, row.round)

    def _roles_of(self, row: Row, decision: Decision) -> list[str]:
        """Of each sender when it sent."""
        sent = zip(decision.senders, decision.staleness, strict=True)
        return [self.roles.of(sender, row.round - stale) for sender, stale in sent]

    def _write_judgement(self, row: Row, decision: Decision, hostile: set[int]) -> None:
        """What adversaries have of the merge, and how well it told them from benign senders."""
        if not self._hostile:
            return
        by_sender = zip(decision.senders, decision.influence, strict=True)
        values = {"adversary_influence": fsum(x for k, x in by_sender if k in hostile)}
        self.influence.append(values["adversary_influence"])
        if decision.flagged is not None:
            rates = flag_rates(decision.senders, decision.flagged, hostile)
            values |= rates._asdict()
            self.rates.append(rates)
        start = (repr(row.now_ns / 1e9), row.round, row.peer, self._role(row))
        self._metrics.writerows((*start, name, repr(value)) for name, value in values.items())

    def _count_accepted(self, row: Row, decision: Decision, hostile: set[int]) -> None:
        """Whose models had a share in the result."""
        judged = self._judged.setdefault(row.round, Counter())
        for sender, share in zip(decision.senders, decision.influence, strict=True):
            role = "adversary" if sender in hostile else "benign"
            judged[f"{role}_rows"] += 1
            judged[f"{role}_rows_accepted"] += share > 0

    def accepted(self, rounds: int) -> Counter[str]:
        """Rows of benign peers and of adversaries, and those that had a share in a result.

        In the second half of so many rounds.
        """
        late = (judged for round_, judged in self._judged.items() if 2 * round_ > rounds)
        return sum(late, Counter())

    def flush(self) -> None:
        """Hand everything to the system, so that a killed run leaves it."""
        for file in self._files.values():
            file.flush()

    def write_messages(self, counts: Mapping[tuple[int, int], EdgeCounts]) -> dict[str, int]:
        """Replace messages.csv; returns the totals over all edges."""
        totals: Counter[str] = Counter()
        lines = [",".join(MESSAGES)]
        for (source, destination), edge in counts.items():
            rejected = edge.rejected + self._rejected[source, destination]
            accepted = edge.accepted + self._accepted[source, destination]
            # Of a run that ended before its time: what lies in an inbox or in an unwritten merge.
            waiting = edge.arrived - accepted - edge.late - rejected
            row = (
                source, destination, edge.sent, edge.bytes, edge.arrived, edge.dropped, edge.late,
                rejected, accepted, waiting, edge.in_flight, edge.duplicated, edge.retried,
            )  # fmt: skip
            lines.append(",".join(map(str, row)))
            totals.update(dict(zip(MESSAGES[2:], row[2:], strict=True)))
        replace_file(self._folder / "messages.csv", "\n".join(lines) + "\n")
        return dict(totals)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
