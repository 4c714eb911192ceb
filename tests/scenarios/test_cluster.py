"""Two nodes of a Ray cluster on one machine give the bytes of one process."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, json, os, sys, tempfile
from pathlib import Path

from ray.cluster_utils import Cluster

from scenarios import load, run

SETS = ("rounds=3", "topology={kind: two_cliques, size: 4}", "network.drop=0", "adversaries=null",
        "defense={kind: gossip_average}", "attack={kind: none}")

def outcome(*sets):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        record = run(load("quickstart", [*SETS, *sets]), out=out, picture=False)
        names = ("metrics.csv", "edges.csv", "messages.csv", "events.jsonl")
        files = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}
        said = [line for line in (out / "log.txt").read_text().splitlines() if "nodes" in line]
        return {**files, "digest": record.summary["digest"]}, said

alone, _ = outcome("runtime.executor=inline")
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
os.environ["RAY_ADDRESS"] = cluster.address
there, said = outcome("runtime.executor=ray", "runtime.peers_per_actor=2",
                      "runtime.placement=by_graph")
cluster.shutdown()
print(json.dumps({"same": there == alone, "said": said}))
"""


@pytest.mark.ray
@pytest.mark.slow
def test_two_nodes_give_the_bytes_of_one():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    (said,) = found["said"]
    # Two cliques of four with a bridge: in each of three rounds, one message goes either way.
    assert "actors by node: 2, 2; messages between nodes: 6" in said
