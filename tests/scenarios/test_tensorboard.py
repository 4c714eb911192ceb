"""``p2pfl run --tensorboard``: event files, read back byte by byte."""

import struct
import sys
from collections import defaultdict

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

from p2pfl.errors import ScenarioError
from scenarios.runner import resume, run
from scenarios.tensorboard import PATIENCE_ROUNDS, Mean, Means, TensorBoardWatcher
from scenarios.watcher import Watcher, Watchers

HOSTILE = {"adversaries": {"count": 1}, "attack": {"kind": "backdoor"}}


def masked(data):
    """The checksum of TFRecord files: CRC-32C, rotated right by 15 bits, and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(path):
    """Length, its checksum, the event, its checksum; again and again."""
    data, found = path.read_bytes(), []
    while data:
        length, of_length = struct.unpack("<QI", data[:12])
        body, [of_body] = (
            data[12 : 12 + length],
            struct.unpack("<I", data[12 + length : 16 + length]),
        )
        assert of_length == masked(data[:8])
        assert of_body == masked(body)
        found.append(Event.FromString(body))
        data = data[16 + length :]
    return found


def scalars(folder):
    """Tag to rows of step, wall time and value, as TensorBoard takes them: a start purges."""
    rows = defaultdict(list)
    for path in sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns):
        for event in events(path):
            if event.session_log.status == SessionLog.START:
                for tag in rows:
                    rows[tag] = [row for row in rows[tag] if row[0] < event.step]
            for value in event.summary.value:
                rows[value.tag].append((event.step, event.wall_time, value.simple_value))
    return rows


def test_the_mean_of_each_group_is_there_by_round(loaded, tmp_path):
    watcher = TensorBoardWatcher(tmp_path / "events")
    record = run(loaded(**HOSTILE), out=tmp_path / "run", watcher=watcher)
    found = scalars(tmp_path / "events" / "run")
    by_round = defaultdict(list)
    for row in record.table("metrics"):
        if row["metric"] == "asr_excluding_target" and row["role"] == "benign":
            by_round[int(row["round"])].append((float(row["time_s"]), float(row["value"])))
    want = [
        (round_, max(t for t, _ in of), sum(v for _, v in of) / len(of))
        for round_, of in sorted(by_round.items())
    ]
    assert len(want) == 3
    assert [len(of) for of in by_round.values()] == [4, 4, 4]
    for row, other in zip(found["asr_excluding_target/benign"], want, strict=True):
        assert row == pytest.approx(other, rel=1e-6)
    assert {tag.partition("/")[0] for tag in found} == {
        "accuracy", "loss", "asr", "asr_excluding_target", "bytes_sent", "adversary_influence",
    }  # fmt: skip
    assert {tag.partition("/")[2] for tag in found} == {"benign", "adversary"}


def test_dominated_peers_a_server_and_what_all_have_together(loaded, tmp_path):
    together = {"evaluate": {"consensus": True}, "rounds": 2}
    ring = {"topology": {"kind": "ring", "peers": 5}, "adversaries": {"count": 3}}
    cut = {"allow_disconnected": True, "attack": {"kind": "zero"}}
    watcher = TensorBoardWatcher(tmp_path / "events")
    run(loaded(**together, **ring, **cut), out=tmp_path / "ring", watcher=watcher)
    found = scalars(tmp_path / "events" / "ring")
    assert "accuracy/benign_dominated" in found
    assert [step for step, _, _ in found["consensus_distance/benign"]] == [1, 2]
    star = {
        "topology": {"kind": "clients", "peers": 3},
        "server": {"strategy": {"kind": "fed_avg"}},
    }
    watcher = TensorBoardWatcher(tmp_path / "events")
    run(loaded(rounds=2, **star), out=tmp_path / "star", watcher=watcher)
    found = scalars(tmp_path / "events" / "star")
    assert [step for step, _, _ in found["accuracy/server"]] == [1, 2]


class Killed(Watcher):
    def __init__(self, after):
        self.left = after

    def round_over(self, peer, round_):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_a_run_that_goes_on_has_the_same_curves(loaded, tmp_path):
    scenario = loaded(rounds=8, runtime={"executor": "inline", "snapshots": {"every_rounds": 3}})
    whole = TensorBoardWatcher(tmp_path / "whole")
    run(scenario, out=tmp_path / "run", watcher=whole)
    want = scalars(tmp_path / "whole" / "run")
    first = Watchers([TensorBoardWatcher(tmp_path / "parts"), Killed(28)])
    run(scenario, out=tmp_path / "again" / "run", watcher=first)
    first.stop()
    before = scalars(tmp_path / "parts" / "run")["accuracy/benign"]
    assert 0 < len(before) < 8
    then = TensorBoardWatcher(tmp_path / "parts")
    assert resume(tmp_path / "again" / "run", watcher=then).status == "done"
    assert scalars(tmp_path / "parts" / "run") == want


def test_rounds_come_in_order_when_all_have_ended_them():
    means = Means([4, 9])
    assert list(means.add(1, 4, 1.0, 0.5)) == []
    assert list(means.add(2, 4, 2.0, 0.6)) == []
    assert list(means.add(1, 9, 3.0, 0.1)) == [Mean(1, 3.0, 0.3)]
    assert list(means.add(1, 9, 9.0, 0.9)) == []  # again, after a roll-back: it is written
    assert list(means.rest()) == [Mean(2, 2.0, 0.6)]
    assert list(means.rest()) == []


def test_a_peer_that_is_gone_is_not_waited_for():
    means = Means([4, 9])
    found = [mean for r in range(1, 9) for mean in means.add(r, 4, float(r), 0.5)]
    assert [mean.round for mean in found] == list(range(1, 9 - PATIENCE_ROUNDS))


def test_without_its_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ScenarioError, match="needs the package tensorboardX, which is not inst"):
        TensorBoardWatcher(tmp_path)
    assert list(tmp_path.iterdir()) == []
