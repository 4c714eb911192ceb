"""24 peers and an hour of virtual time with churn, loss and a partition: nothing is left behind."""

import gc
import json
import sys
import tempfile

import psutil
import pytest

from scenarios.runner import _Run

HOUR = {
    "rounds": 80,
    "budget": {"virtual_s": 3600.0},
    "topology": {"kind": "random_regular", "peers": 24, "degree": 4},
    "training": {"lr": 0.1, "batch_size": 32},
    "compute": {"samples_per_s": 1.5, "spread": 0.3},
    "network": {
        "latency": {"kind": "lognormal", "median_ms": 400, "sigma": 1.0},
        "bandwidth_mbps": 1.0,
        "drop": {"kind": "gilbert_elliott", "p_good_to_bad": 0.05, "p_bad_to_good": 0.3},
        "retries": 1,
        "duplicate": 0.05,
    },
    "protocol": {"kind": "rounds", "timeout_s": 40.0, "late": "use"},
    "availability": {"churn": {"kind": "session", "mean_up_s": 900.0, "mean_down_s": 90.0}},
    "events": [
        {"kind": "partition", "groups": [list(range(12))], "at_s": 1200},
        {"kind": "heal", "at_s": 2400},
    ],
    "evaluate": {"every": 20, "samples": 100},
    "allow_disconnected": True,
}


def open_files(process):
    """Which regular files it has open, but for those of packages, such as fonts for pictures."""
    return {file.path for file in process.open_files() if not file.path.startswith(sys.prefix)}


def objects_held():
    """What this process, which owns all results of a run, keeps alive in Ray's store."""
    from ray._private.worker import global_worker

    return set(global_worker.core_worker.get_all_reference_counts())


def is_free(store):
    """Whether as much of the store is free; Ray's figure comes now and then."""
    import ray

    return ray.available_resources()["object_store_memory"] >= store


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.usefixtures("ray_session")
def test_an_hour_leaves_nothing_behind(run_small, monkeypatch, outcome, until, tmp_path):
    import ray

    processes: dict[int, psutil.Process] = {}
    opened: dict[int, list[set[str]]] = {}
    asked, pausing = [0], _Run._pausing

    def looks(self):
        if asked[0] % 1000 == 0:
            for pid in self.executor.pids:
                process = processes.setdefault(pid, psutil.Process(pid))
                opened.setdefault(pid, []).append(open_files(process))
        asked[0] += 1
        return pausing(self)

    gc.collect()
    here, held = psutil.Process(), objects_held()
    store = ray.available_resources()["object_store_memory"]
    files = open_files(here)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    runtime = {"executor": "ray", "peers_per_actor": 6, "snapshots": {"every_rounds": 30}}
    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_pausing", looks)
        record = run_small(**HOUR, runtime=runtime)
    gc.collect()

    assert record.status == "done"
    assert record.summary["virtual_s"] == 3600
    lines = [json.loads(x) for x in (record.folder / "events.jsonl").read_text().splitlines()]
    assert {"down", "up", "partition", "heal", "timeout"} <= {line["event"] for line in lines}
    assert record.summary["messages"]["dropped"] > 100
    # Objects, processes, files.
    assert objects_held() == held
    until(lambda: is_free(store))
    assert len(processes) == 4
    _, alive = psutil.wait_procs(processes.values(), timeout=300)
    assert not alive
    assert open_files(here) == files
    for first, *later in opened.values():
        assert len(later) > 3
        assert all(files <= first for files in later)
    assert not (record.folder / "snapshots").exists()
    assert not list(record.folder.rglob("*.part"))
    assert not list(temporary.iterdir())
    # And the same as without Ray.
    inline = run_small(**HOUR, runtime={"executor": "inline", "snapshots": None})
    assert outcome(record) == outcome(inline)
