"""Scenario files: found, read, changed, refused and written."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.compute import Compute
from graphs.files import EdgeList
from graphs.fixed import Ring
from graphs.placement import Nodes
from p2pfl.attacks import Alie, LabelFlip
from p2pfl.data.splits import Iid
from p2pfl.defenses import GossipAverage, RuleDefense
from p2pfl.errors import ScenarioError
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.training import Training
from p2pfl.models import Logistic, Mlp
from p2pfl.rules import Krum, TrimmedMean
from scenarios.build import build
from scenarios.loader import bundled, dump, find, library, load
from scenarios.schema import Adversaries, AttackGroup, Scenario
from scenarios.sweep import load_sweep

SMALL = """\
name: small
rounds: 3
model: {kind: mlp, hidden: [8, 4]}
topology: {kind: ring, peers: 4}
defense:
  kind: rule
  rule: {kind: krum, f: 1}
"""


@pytest.fixture
def write(tmp_path):
    def write(text=SMALL, name="small.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path, *sets):
    with pytest.raises(ScenarioError) as caught:
        load(path, sets)
    return str(caught.value)


def test_a_file_and_its_defaults(write, tmp_path):
    loaded = load(write())
    scenario = loaded.scenario
    assert scenario.model == Mlp(hidden=(8, 4))
    assert scenario.topology == Ring(peers=4)
    assert scenario.defense == RuleDefense(rule=Krum(f=1))
    assert (scenario.seed, scenario.data.dataset, scenario.adversaries) == (1, "digits", None)
    assert scenario.data.partition == Iid()
    assert scenario.protocol.timeout_s == 60.0
    assert loaded.folder == tmp_path.resolve()
    assert loaded.source == str(tmp_path / "small.yaml")


def test_every_bundled_scenario_is_valid_and_says_what_it_is():
    assert {"quickstart", "fashion_ring"} <= bundled().keys()
    for name, path in bundled().items():
        text = path.read_text(encoding="utf-8")
        if "\nsweep:" in text or "\ncompare:" in text:
            cells = load_sweep(name).cells
            assert {cell.loaded.scenario.name for cell in cells} == {name.rpartition("/")[2]}
        else:
            assert load(name).scenario.name == name.rpartition("/")[2]
        assert text.startswith("# ")


@pytest.mark.parametrize("name", sorted(n for n in bundled() if n.startswith("papers/")))
def test_a_papers_first_line_says_what_it_takes(name):
    first = bundled()[name].read_text(encoding="utf-8").partition("\n")[0]
    mark = first.removeprefix("# ").partition(":")[0].partition(" (")[0]
    assert mark in ("cpu", "cpu_scaled", "gpu")


def test_a_file_comes_before_a_bundled_name(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("quickstart") == bundled()["quickstart"]
    write(name="quickstart")
    assert find("quickstart") == Path("quickstart")


def test_numbers_are_those_of_yaml_1_2(write):
    loaded = load(write(SMALL + "compute: {samples_per_s: 1e3, spread: 1e-3}\n"))
    assert loaded.scenario.compute.samples_per_s == 1000.0
    assert loaded.scenario.compute.spread == 0.001


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        ("rounds=7", "rounds", 7),
        ("defense={kind: gossip_average}", "defense", GossipAverage()),
        ("defense.rule.f=2", "defense", RuleDefense(rule=Krum(f=2))),
        ("model.hidden.0=5", "model", Mlp(hidden=(5, 4))),
        ("model.hidden=[1]", "model", Mlp(hidden=(1,))),
        ("model={kind: logistic}", "model", Logistic()),
        ("adversaries.count=1", "adversaries", Adversaries(count=1)),
        ("adversaries=", "adversaries", None),
        ("name=a-b", "name", "a-b"),
        ("attack={kind: alie}", "attack", Alie()),
        ("attack=[{attack: {kind: alie}}]", "attack", (AttackGroup(attack=Alie()),)),
    ],
)
def test_set_changes_one_place(write, change, attribute, value):
    path = write()
    before, after = load(path), load(path, [change])
    assert getattr(after.scenario, attribute) == value
    assert replace(after.scenario, **{attribute: getattr(before.scenario, attribute)}) == (
        before.scenario
    )
    assert after.sets == (change,)


def test_sets_are_applied_in_order(write):
    sets = ["adversaries={placement: {kind: nodes, nodes: [0]}}", "adversaries.placement.nodes.0=3"]
    assert load(write(), sets).scenario.adversaries == Adversaries(placement=Nodes(nodes=(3,)))


def test_set_changes_one_of_several_groups(write):
    groups = "attack: [{count: 2, attack: {kind: label_flip}}, {attack: {kind: alie}}]\n"
    path = write(SMALL + groups)
    first = AttackGroup(count=2, attack=LabelFlip())
    later = AttackGroup(attack=Alie(z=2.0), conduct=Conduct(start=3))
    sets = ["attack.1.attack.z=2", "attack.1.conduct.start=3"]
    assert load(path, sets).scenario.attack == (first, later)
    assert "attack is a list of 2, counted from 0; came 'z'" in refusal(path, "attack.z=2")
    one = write(SMALL + "attack: {kind: alie}\n")
    assert load(one, ["attack.z=2"]).scenario.attack == Alie(z=2.0)


def test_set_leaves_alone_what_an_alias_shares(write):
    text = SMALL.replace("hidden: [8, 4]", "hidden: &sizes [8, 4]")
    text += "adversaries: {placement: {kind: nodes, nodes: *sizes}}\n"
    scenario = load(write(text), ["model.hidden.0=5"]).scenario
    assert scenario.model == Mlp(hidden=(5, 4))
    assert scenario.adversaries == Adversaries(placement=Nodes(nodes=(8, 4)))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("rounds", "--set rounds: allowed: a path and a value, such as rounds=3"),
        ("=3", "allowed: a path and a value"),
        ("a..b=3", "allowed: a path and a value"),
        ("rounds.x=3", "--set rounds.x=3: rounds is 3 and has nothing inside; came 'x'"),
        ("model.hidden.2=3", "model.hidden is a list of 2, counted from 0; came '2'"),
        ("model.hidden.x=3", "model.hidden is a list of 2, counted from 0; came 'x'"),
        ("rounds=[1", "--set rounds=[1, line 1, column 3: is no valid YAML"),
        ("rounds=2020-01-01", "came the date 2020-01-01; for text, put it in quotes"),
        ("rounds=ten", '--set rounds=ten, rounds: came "ten" (text); allowed: a valid integer'),
        ("ronds=3", "--set ronds=3, ronds: unknown key; "),
        (
            "defense.kind=gossip_average",
            "line 7 with --set defense.kind=gossip_average, defense.rule: unknown key; "
            "allowed here: kind",
        ),
    ],
)
def test_set_says_what_is_wrong(write, change, text):
    assert text in refusal(write(), change)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL.replace("rounds: 3", "rounds: three"), 'line 2, rounds: came "three" (text); allow'),
        (SMALL.replace("rounds: 3", "rounds: 0"), "line 2, rounds: rounds must be >= 1, got 0"),
        (SMALL.replace("rounds: 3", "rounds: true"), "line 2, rounds: came true; allowed: a val"),
        (SMALL.replace("f: 1", "f: one"), 'line 7, defense.rule.f: came "one" (text); allowed:'),
        (SMALL.replace("krum", "krumm"), "line 7, defense.rule.kind: came"),
        (SMALL.replace("krum", "krumm"), "; did you mean 'krum'?"),
        (SMALL.replace("name: small", "name: a/b"), "line 1, name: name may have letters, digits"),
        (SMALL.replace("name: small\n", ""), "line 1, name: is missing"),
        (SMALL.replace("peers: 4", "peers: 2"), "line 4, topology.neighbours"),
        (SMALL + "2: x\n", "line 8, 2: unknown key"),
        (SMALL + "1.5: x\n", "came the key 1.5; allowed: text"),
        (SMALL + "on: x\n", "line 8, on: unknown key"),
        (SMALL + "seed: 2020-01-01\n", "line 8, seed: came the date 2020-01-01; for text"),
        (SMALL + "seed: !!set {a}\n", "line 8, seed: came "),
        (SMALL + "training:\n", "line 8, training: came nothing (null); allowed: a mapping"),
        (SMALL + "training: {lr: .nan}\n", "training.lr: came NaN; allowed: a finite number"),
        (SMALL + "attack: alie\n", "line 8, attack: came \"alie\" (text); allowed: a mapping such "
         "as {kind: alie}"),
        (SMALL + "attack: []\n", "line 8, attack: attack came as an empty list; allowed: an"),
        (SMALL + "attack:\n  - {kind: alie}\n", "line 9, attack.0.kind: unknown key; allowed "),
        (SMALL + "attack:\n  - {kind: alie}\n", "line 9, attack.0.attack: is missing"),
        (SMALL + "attack:\n  - {share: 0.0, attack: {kind: alie}}\n",
         "line 9, attack.0.share: share must be in (0, 1], got 0.0"),
        (SMALL + "attack: [{count: 0, attack: {kind: alie}}]\n", "count must be >= 1, got 0"),
        (SMALL + "attack: [{peers: [], attack: {kind: alie}}]\n", "peers must be ids >= 0, each "),
        (SMALL + "attack: [{peers: [1, 1], attack: {kind: alie}}]\n", "each once, got [1, 1]"),
        (SMALL + "attack: [{count: 1, share: 0.5, attack: {kind: alie}}]\n",
         "line 8, attack.0: give one of peers, count and share, got count, share"),
        (SMALL + "attack: [{attack: {kind: alie}}, {attack: {kind: zero}}]\n",
         "attack.0 has no size: give peers, count or share; only the last of 2 groups takes"),
        (SMALL + "attack: [{peers: [1, 2], attack: {kind: alie}}, {peers: [2], attack: "
         "{kind: zero}}]\n", "attack names peers in more than one group: [2]"),
        (SMALL + "attack: {z: 1}\n", "line 8, attack: kind is missing; allowed: none, sign_flip"),
        (SMALL + 'attack: {use: "my_own:Attack"}\n', "line 8, attack.use: there is no my_own.py"),
        (SMALL + "seed: 1\nseed: 2\n", ", line 9, column 1: is no valid YAML: while construct"),
        (SMALL + "x: [1\n", ": is no valid YAML: while parsing a flow sequence"),
        (SMALL + "---\nname: b\n", "is no valid YAML: expected a single document"),
        (SMALL + "seed: !!python/name:os.system 1\n", "is no valid YAML: could not determine a"),
        ("", "small.yaml: is empty; a scenario needs at least"),
        ("# nothing\n", "is empty"),
        ("- a\n", "came a list; allowed: a mapping"),
        ("quickstart\n", "came 'quickstart'; allowed: a mapping"),
        ("\x00", "is no valid YAML: "),
    ],
)  # fmt: skip
def test_broken_files(write, text, said):
    message = refusal(write(text))
    assert said in message
    assert "small.yaml" in message


def test_all_problems_in_one_message(write):
    text = SMALL.replace("peers: 4", "pers: 4").replace("rounds: 3", "rounds: x") + "lr: 1\n"
    message = refusal(write(text)).splitlines()
    assert message[0].endswith("small.yaml has 4 problems:")
    assert [line.split()[:2] for line in message[1:]] == [
        ["line", "8,"], ["line", "2,"], ["line", "4,"], ["line", "4,"],
    ]  # fmt: skip


def test_many_problems_are_cut_short(write):
    message = refusal(write(SMALL + "".join(f"x{i}: 1\n" for i in range(12))))
    assert message.count("unknown key") == 8
    assert message.endswith("and 4 more")


def test_missing_files(tmp_path):
    message = refusal(tmp_path / "quikstart.yaml")
    assert "no such file; bundled scenarios: " in message
    assert message.endswith("; did you mean 'quickstart'?")
    assert refusal(tmp_path / "gpd_mnis").endswith("; did you mean 'papers/gpd_mnist'?")
    assert "is a folder" in refusal(tmp_path)


def test_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\xfe")
    assert "is not text in UTF-8" in refusal(tmp_path / "x.yaml")


names = st.text("abc-_.09", min_size=1).filter(lambda s: s[0] != "." and s.strip("-_."))
numbers = st.floats(1e-3, 1e9)
attacks = st.builds(LabelFlip) | st.builds(Alie, z=st.none() | st.floats(0, 9))
groups = st.lists(
    st.builds(
        AttackGroup,
        attack=attacks,
        count=st.integers(1, 9),
        conduct=st.none() | st.builds(Conduct, start=st.integers(1, 9)),
    ),
    min_size=1,
)
rules = st.builds(Krum, f=st.integers(0, 9)) | st.builds(TrimmedMean, f=st.integers(0, 9))
scenarios = st.builds(
    Scenario,
    name=names,
    seed=st.integers(-(2**70), 2**70),
    rounds=st.integers(1, 10**9),
    model=st.builds(Mlp, hidden=st.lists(st.integers(1, 99), min_size=1).map(tuple)),
    topology=st.builds(EdgeList, path=st.text()),
    training=st.builds(Training, lr=numbers, keep_momentum=st.booleans()),
    compute=st.builds(Compute, samples_per_s=numbers),
    defense=st.builds(GossipAverage) | st.builds(RuleDefense, rule=rules),
    attack=attacks | groups.map(tuple),
    adversaries=st.none() | st.builds(Adversaries, fraction=st.none() | st.floats(0, 1)),
)


@given(scenarios)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_dumped_loads_again(write, scenario):
    assert load(write(dump(scenario))).scenario == scenario


def test_a_dump_has_every_default(write):
    text = dump(load(write()).scenario)
    for key in ("timeout_s: 60.0", "lr: 0.1", "adversaries: null", "neighbours: 2", "messages: fa"):
        assert key in text


def test_a_users_own_is_dumped_too(write, tmp_path):
    (tmp_path / "own_defense.py").write_text(OWN_DEFENSE)
    own = '{use: "own_defense:Mine", how_much: 0.25}'
    path = write(SMALL.partition("defense")[0] + f"defense: {own}\n")
    scenario = load(path).scenario
    assert scenario.defense.how_much == 0.25
    again = write(dump(scenario), "again.yaml")
    assert "use: own_defense:Mine" in again.read_text()
    assert load(again).scenario == scenario


def test_the_readmes_example_of_a_users_own_loads(write, tmp_path):
    readme = (library().parent / "README.md").read_text(encoding="utf-8")
    module = readme.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "my_module.py").write_text(module)
    blocks = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    [own] = [block for block in blocks if "my_module" in block]
    defense = load(write(SMALL.partition("defense")[0] + own)).scenario.defense
    assert type(defense).__name__ == "MyDefense"


OWN_DEFENSE = """
from dataclasses import dataclass

from p2pfl.defenses.base import PeerDefense

@dataclass(frozen=True)
class Mine(PeerDefense):
    how_much: float = 0.5
    parts: tuple[int, ...] = (1, 2)

    def init(self, d):
        return None

    def merge(self, view, state):
        raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([], r"x\.yaml, line 7, adversaries: placement nodes: .* not \[12\]"),
        (["adversaries.count=1"], r"x\.yaml, line 7, adversaries: .* leave out count"),
        (
            ["adversaries={placement: {kind: nodes, nodes: [9]}}"],
            r"x\.yaml, --set adversaries=.*\[9\]}}, adversaries: placement nodes: .* not \[9\]",
        ),
        (
            ["adversaries={count: 1}", "attack={kind: sign_flip}", "model={kind: cnn, kernel: 9}"],
            r"x\.yaml, --set model=.*, model: does not fit data set digits",
        ),
        (
            [
                "rounds=2",
                "adversaries=null",
                "topology={kind: schedule, of: {kind: ring, peers: 6}, "
                "changes: [{at_round: 2, remove: [[0, 3]]}]}",
            ],
            r"x\.yaml, --set topology=.*, topology: schedule, at_round 2: there is no edge",
        ),
        (
            ["adversaries=null", "topology={kind: rewire, swaps: 4, of: {kind: ring, peers: 3}}"],
            r"x\.yaml, --set topology=.*, topology: rewire: after 0 of 4 swaps",
        ),
    ],
)
def test_what_does_not_fit_together_has_its_line(tmp_path, sets, said):
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\nrounds: 1\ndata: {dataset: digits}\nmodel: {kind: logistic}\n"
        "topology: {kind: ring, peers: 8}\nattack: {kind: sign_flip}\n"
        "adversaries: {placement: {kind: nodes, nodes: [12]}}\nallow_disconnected: true\n"
    )
    with pytest.raises(ScenarioError, match=said):
        build(load(path, sets))
