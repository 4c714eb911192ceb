"""A client's or a peer's process is killed in mid-round, on Ray: the run goes on without it."""

import json
import sys

import pytest

from p2pfl.errors import PeerLost

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_session")]

# Kills its own process in the middle of a round, as the system does when memory runs out.
MODULE = """
import os
import signal
from dataclasses import dataclass

from p2pfl.defenses.base import PeerDefense
from p2pfl.strategies.base import ServerStrategy, averaged
from p2pfl.types import Merge


def die(me, at, round_, of):
    if me == at and round_ == of:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragile(ServerStrategy):
    client: int
    server: bool = False

    def train(self, given, memory):
        if not self.server:
            die(given.client, self.client, given.round, 2)
        return given.plain(given.model), None

    def aggregate(self, view, state):
        if self.server:
            die(0, 0, view.round, 2)
        return averaged(view, [1 / len(view.senders)] * len(view.senders)), None


@dataclass(frozen=True, slots=True, kw_only=True)
class FragilePeer(PeerDefense):
    peer: int

    def init(self, d):
        return None

    def merge(self, view, state):
        die(view.me, self.peer, view.round, 2)
        rows = view.received
        mean = (view.own + rows.sum(dim=0)) / (len(rows) + 1)
        share = view.own.new_full((len(rows),), 1 / (len(rows) + 1))
        return Merge(model=mean, influence=share), None
"""
RAY = {"runtime": {"executor": "ray", "peers_per_actor": 1, "snapshots": None}}
STAR = {"topology": {"kind": "clients", "peers": 3}, **RAY}
FOUR = {"topology": {"kind": "complete", "peers": 4}, **RAY}


@pytest.fixture
def fragile(tmp_path, monkeypatch):
    name = "fragile_" + tmp_path.name
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def log_of(record):
    return (record.folder / "log.txt").read_text()


def by_round(record, peer):
    senders = {}
    for row in record.table("edges"):
        if row["peer"] == str(peer):
            senders.setdefault(int(row["round"]), []).append(int(row["sender"]))
    return senders


def test_a_client_that_dies_is_a_missing_update(run_small, fragile):
    strategy = {"use": f"{fragile}:Fragile", "client": 2}
    record = run_small(**STAR, server={"strategy": strategy}, rounds=12)
    assert record.status == "done"
    assert by_round(record, 3)[1] == [0, 1, 2]
    assert all(by_round(record, 3)[round_] == [0, 1] for round_ in range(2, 13))
    assert log_of(record).count("its process died") == 1
    assert "peer 2: its process died; silent since round 2" in log_of(record)
    assert record.summary["lost"] == {"2": 2}
    assert any("process of peers 2 died" in warning for warning in record.summary["warnings"])
    assert record.summary["rounds_done"] == {"least": 12, "most": 12}
    assert record.summary["timeouts"] == 0
    assert record.summary["accuracy"]["server"]["mean"] > 0.8


def test_a_peer_that_dies_is_missing_at_its_neighbours(run_small, fragile):
    record = run_small(defense={"use": f"{fragile}:FragilePeer", "peer": 1}, rounds=12, **FOUR)
    assert record.status == "done"
    assert by_round(record, 0)[1] == [1, 2, 3]
    # Its last message was made; whether its process still told of it is a matter of milliseconds.
    assert by_round(record, 0)[2] in ([1, 2, 3], [2, 3])
    assert all(by_round(record, 0)[round_] == [2, 3] for round_ in range(3, 13))
    assert record.summary["lost"] == {"1": 2}
    assert log_of(record).count("its process died") == 1
    # It has no final model; the figures are those of the others.
    assert sorted(record.summary["accuracy_by_peer"]) == ["0", "2", "3"]
    metrics = {int(r["round"]) for r in record.table("metrics") if r["peer"] == "1"}
    assert metrics == {1}
    lines = (record.folder / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert not [event for event in events if event["event"] in ("timeout", "rejected")]
    for row in record.table("messages"):
        n = {key: int(value) for key, value in row.items()}
        assert n["sent"] == n["delivered"] + n["dropped"] + n["in_flight"]
        assert n["delivered"] == n["accepted"] + n["late"] + n["rejected"] + n["waiting"]


def test_a_run_does_not_outlive_its_server(run_small, fragile):
    strategy = {"use": f"{fragile}:Fragile", "client": 0, "server": True}
    with pytest.raises(PeerLost, match="the server is lost: the processes of peers 3 died"):
        run_small(**STAR, server={"strategy": strategy}, rounds=12)
