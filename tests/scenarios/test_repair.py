"""A repaired scenario: its file, its adversaries, and what is shown of it."""

import json

import networkx as nx
import pytest

from p2pfl.errors import ScenarioError
from scenarios.build import build
from scenarios.cli import main
from scenarios.loader import load
from scenarios.repair import repair_scenario


@pytest.fixture
def repaired(tmp_path):
    """``repaired("rounds=3", rule="krum")``: the quickstart, repaired."""

    def make(*sets, **options):
        return repair_scenario(load("quickstart", sets), out=tmp_path / "repaired", **options)

    return make


def test_the_quickstart_takes_one_edge(repaired):
    made = repaired()
    before = build(load("quickstart"))
    assert made.before.report == before.neighbourhoods
    assert made.before.unsound == (4, 6)
    assert made.repair.added == ((4, 6),)
    assert made.repair.fewest
    assert made.after.unsound == ()
    assert (made.before.edges, made.after.edges) == (26, 27)


def test_the_new_scenario_is_the_old_one_on_another_graph(repaired):
    made = repaired("rounds=2")
    old, new = build(load("quickstart", ["rounds=2"])), build(load(made.folder / "scenario.yaml"))
    assert new.placed.adversaries == old.placed.adversaries
    assert new.neighbourhoods == made.after.report
    assert new.neighbourhoods.dominated == 0
    assert set(new.graph.edges) - set(old.graph.edges) == set(made.repair.added)
    assert [peer.samples.tolist() for peer in new.peers] == [p.samples.tolist() for p in old.peers]
    assert new.scenario.name == "quickstart-repaired"


def test_edges_of_a_file_keep_what_they_set(tmp_path):
    (tmp_path / "edges.txt").write_text("0 2 {'latency_ms': 80}\n1 2\n1 3\n0 3 {'drop': 0.5}\n")
    (tmp_path / "mine.yaml").write_text(
        "{name: mine, rounds: 1, model: {kind: logistic}, allow_disconnected: true,"
        " topology: {kind: edge_list, path: edges.txt},"
        " adversaries: {placement: {kind: nodes, nodes: [2, 3]}}}"
    )
    made = repair_scenario(load(tmp_path / "mine.yaml"), "rewire", out=tmp_path / "out")
    graph = nx.read_graphml(made.folder / "graph.graphml", node_type=int)
    assert graph.size() == 4
    assert set(made.repair.added) == {(0, 1), (2, 3)}
    kept = {(0, 2): {"latency_ms": 80.0}, (0, 3): {"drop": 0.5}, (1, 2): {}, (1, 3): {}}
    kept = {edge: of for edge, of in kept.items() if edge not in made.repair.removed}
    assert all(graph.edges[edge] == of for edge, of in kept.items())
    assert made.after.report.dominated == 0


def test_groups_keep_their_members(repaired):
    groups = "attack=[{count: 1, attack: {kind: alie}}, {attack: {kind: sign_flip}}]"
    made = repaired(groups)
    old, new = build(load("quickstart", [groups])), build(load(made.folder / "scenario.yaml"))
    members = [[c.members for c in each.spec.coalitions] for each in (old, new)]
    assert members[0] == members[1]


@pytest.mark.parametrize(
    ("rule", "said", "added"),
    [
        # Two adversaries at most: five rows or more, so four neighbours; peers 4 and 6 have three.
        ("trimmed_mean", "f=2, as many as a benign peer hears at most", 1),
        ("{kind: krum, f: 2}", "(f=2): 7 rows", None),
        ("median", "median bears any minority", 1),
    ],
)
def test_a_rules_condition_holds_everywhere(repaired, rule, said, added):
    made = repaired(rule=rule)
    assert said in made.wanted
    assert made.before.unsound
    assert made.after.unsound == ()
    assert made.repair.fewest
    assert added is None or len(made.repair.added) == added


def test_what_holds_already_changes_nothing(repaired):
    made = repaired("adversaries=null")
    assert made.repair.added == ()
    assert made.before == made.after


@pytest.mark.parametrize(
    ("sets", "rule", "said"),
    [
        ((), "mean", "mean promises nothing against an adversary"),
        ((), "medain", "did you mean 'median'"),
        ((), "{kind: trimmed_mean, g: 1}", "unknown key"),
        ((), "{kind: bulyan, f: 5}", "bulyan needs n >= 4f"),
        ((), "{kind: trimmed_mean, f: 1}", "hears 2 adversaries, more than f=1"),
        (("server={}",), None, "peers hear a server alone"),
        (("topology={kind: one_peer_exponential, peers: 10}",), None, "varies; name a fixed"),
        (("topology={kind: star, peers: 4}", "allow_disconnected=true",
          "adversaries={placement: {kind: nodes, nodes: [0, 1, 2]}}"), None, "no added edges help"),
    ],
)  # fmt: skip
def test_what_cannot_be_repaired_says_why(repaired, tmp_path, sets, rule, said):
    with pytest.raises(ScenarioError, match=said.replace("(", r"\(")):
        repaired(*sets, rule=rule)
    assert not (tmp_path / "repaired").exists()


def test_the_command_shows_the_proof(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["repair", "quickstart", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for text in ("edges added: 4-6", "no fewer than 1 would do: proven", "0.67 → 0.50"):
        assert text in said
    made = json.loads((out / "repair.json").read_text())
    assert (made["added"], made["after"]["neighbourhoods"]["dominated"]) == ([[4, 6]], 0)


def test_a_program_can_read_it(tmp_path, capsys):
    command = ["repair", "quickstart", "--rewire", "--json", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["added"]) == len(made["removed"]) == made["at_least"] == 1
    assert made["after"]["edges"] == made["before"]["edges"]
