"""What a run folder says, as arrays: all that the page is made from."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML

from graphs.neighbourhoods import PeerReport, neighbourhood_report
from graphs.types import Graph
from p2pfl.errors import ScenarioError
from scenarios.files import whole_lines
from scenarios.report.styles import STYLES, group_of

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_NEEDED = ("scenario.yaml", "environment.json", "topology.graphml", "summary.json")
_MERGES = (0, 1, 2, 3, 5, 6, 7)
"""Columns of edges.csv that are numbers."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric: rows in the order of the run, arrays of one length."""

    time_s: Floats
    round: Ints
    peer: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Merges:
    """Rows of edges.csv: what one benign peer, or the server, made of one sender's model."""

    time_s: Floats
    round: Ints
    peer: Ints
    sender: Ints
    staleness: Ints
    influence: Floats
    flagged: Ints

    def __len__(self) -> int:
        return len(self.peer)


@dataclass(frozen=True, slots=True)
class Delays:
    """Messages that arrived: over which edge, and seconds from sending to arriving."""

    source: Ints
    destination: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True)
class RunFolder:
    """Read from a folder by :func:`read_folder`; the tables are read when they are asked for."""

    path: Path
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    scenario: Mapping[str, Any]
    scenario_text: str
    graph: Graph

    @cached_property
    def groups(self) -> dict[int, str]:
        """The group of each peer, as ``STYLES`` names it, by ascending id."""
        nodes = self.graph.nodes
        return {k: group_of(nodes[k]["role"], nodes[k]["dominated"]) for k in sorted(nodes)}

    def label(self, group: str) -> str:
        """What a group is called; a server's clients are dominated by nobody."""
        clients = self.server is not None and group == "benign_other"
        return "benign" if clients else STYLES[group].label

    @property
    def server(self) -> int | None:
        """The id of the server, if there is one."""
        return next((peer for peer, group in self.groups.items() if group == "server"), None)

    @property
    def origin(self) -> str | None:
        """The run folder that this is a replay of, from here; None: of none."""
        path = self.path / "origin.json"
        return json.loads(path.read_text(encoding="utf-8"))["origin"] if path.exists() else None

    @property
    def benign(self) -> list[int]:
        """Ids of the benign peers, ascending."""
        return [peer for peer, group in self.groups.items() if group.startswith("benign")]

    @property
    def adversaries(self) -> list[int]:
        """Ids of the adversaries, ascending."""
        return [peer for peer, group in self.groups.items() if group == "adversary"]

    @property
    def judged(self) -> list[int]:
        """Whose models the run is about: the server's, or those of the benign peers."""
        return self.benign if self.server is None else [self.server]

    @cached_property
    def places(self) -> dict[int, PeerReport]:
        """Who each benign peer hears; empty where a server stands in the middle."""
        if self.server is not None:
            return {}
        report = neighbourhood_report(self.graph, self.adversaries)
        return {row.peer: row for row in report.peers}

    @cached_property
    def metrics(self) -> dict[str, Series]:
        """The rows of metrics.csv by metric, those of single classes apart."""
        columns: dict[str, tuple[list[float], list[int], list[int], list[float]]] = {}
        for time, round_, peer, _, metric, value in csv.reader(self._lines("metrics.csv")):
            if metric.startswith("accuracy_class_"):
                continue
            times, rounds, peers, values = columns.setdefault(metric, ([], [], [], []))
            times.append(float(time))
            rounds.append(int(round_))
            peers.append(int(peer) if peer else -1)
            values.append(float(value))
        return {
            name: Series(np.array(t), np.array(r), np.array(p), np.array(v))
            for name, (t, r, p, v) in columns.items()
        }

    @cached_property
    def success(self) -> Series | None:
        """How often a backdoor succeeds, on inputs not of the target class where there are any."""
        return self.metrics.get("asr_excluding_target", self.metrics.get("asr"))

    @cached_property
    def merges(self) -> Merges:
        """The rows of edges.csv."""
        lines = self._lines("edges.csv")
        shape = (len(lines), len(_MERGES))
        rows = np.loadtxt(lines, delimiter=",", usecols=_MERGES, ndmin=2) if lines else None
        time, round_, peer, sender, stale, share, flag = (
            np.empty(shape).T if rows is None else rows.T
        )
        whole = (column.astype(np.int64) for column in (round_, peer, sender, stale, flag))
        rounds, peers, senders, staleness, flags = whole
        return Merges(time, rounds, peers, senders, staleness, share, flags)

    @cached_property
    def measured(self) -> dict[str, tuple[Ints, Ints, Floats]]:
        """What the defense measured of senders: by quantity (round, sender, value)."""
        columns: dict[str, tuple[list[int], list[int], list[float]]] = {}
        for _, round_, _, sender, quantity, value in csv.reader(self._lines("decisions.csv")):
            rounds, senders, values = columns.setdefault(quantity, ([], [], []))
            rounds.append(int(round_))
            senders.append(int(sender))
            values.append(float(value))
        return {
            name: (np.array(rounds), np.array(senders), np.array(values))
            for name, (rounds, senders, values) in columns.items()
        }

    @cached_property
    def edges(self) -> dict[str, Ints]:
        """The columns of messages.csv; empty if it was not written."""
        rows = list(csv.DictReader(self._all_lines("messages.csv")))
        names = rows[0] if rows else ()
        return {name: np.array([int(row[name]) for row in rows]) for name in names}

    @cached_property
    def delays(self) -> Delays:
        """How long each message that arrived was under way; empty if these were not recorded."""
        sent: dict[tuple[int, int, int], float] = {}
        rows = []
        for line in self._all_lines("messages.jsonl"):
            step = json.loads(line)
            key = step["source"], step["destination"], step["round"]
            if step["event"] == "sent":
                sent[key] = step["time_s"]
            elif step["event"] == "arrived" and key in sent:
                rows.append((*key[:2], step["time_s"] - sent.pop(key)))
        source, destination, value = np.array(rows, dtype=float).reshape(-1, 3).T
        return Delays(source.astype(np.int64), destination.astype(np.int64), value)

    @cached_property
    def durations(self) -> Series:
        """How long each round of each peer took, in seconds of virtual time; at its end."""
        began: dict[tuple[int, int], float] = {}
        rows = []
        for line in self._all_lines("events.jsonl"):
            if '"event": "round_' not in line:
                continue
            event = json.loads(line)
            key = event["peer"], event["round"]
            if event["event"] == "round_start":
                began[key] = event["time_s"]
            elif event["event"] == "round_end" and key in began:
                rows.append((event["time_s"], key[1], key[0], event["time_s"] - began.pop(key)))
        time, round_, peer, value = np.array(rows, dtype=float).reshape(-1, 4).T
        return Series(time, round_.astype(np.int64), peer.astype(np.int64), value)

    def last(self, series: Series | None) -> dict[int, float]:
        """The last value of each peer, by id."""
        if series is None:
            return {}
        return dict(zip(series.peer.tolist(), series.value.tolist(), strict=True))

    def _lines(self, name: str) -> list[str]:
        return self._all_lines(name)[1:]

    def _all_lines(self, name: str) -> list[str]:
        return whole_lines(self.path / name).splitlines()


def read_folder(path: Path) -> RunFolder:
    """Read what is short in a run folder; its tables follow when they are needed.

    Raises:
        ScenarioError: If it is no run folder.
    """
    if not path.is_dir():
        raise ScenarioError(f"{path} is no run folder: there is no such folder")
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    if missing and (path / "cells").is_dir():
        raise ScenarioError(
            f"{path} is no run folder but a sweep's: its runs are in {path / 'cells'}, and "
            "`p2pfl sweep` makes its tables and its report.html anew"
        )
    if missing:
        raise ScenarioError(f"{path} is no run folder: it has no {', '.join(missing)}")
    text = (path / "scenario.yaml").read_text(encoding="utf-8")
    return RunFolder(
        path=path,
        summary=json.loads((path / "summary.json").read_text(encoding="utf-8")),
        environment=json.loads((path / "environment.json").read_text(encoding="utf-8")),
        scenario=YAML(typ="safe", pure=True).load(text),
        scenario_text=text,
        graph=nx.read_graphml(path / "topology.graphml", node_type=int),
    )
