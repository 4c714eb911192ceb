"""GPD in general: its schedule, what it sends, keeps and tells."""

import pickle
from dataclasses import dataclass, replace

import networkx as nx
import pytest
import torch

from p2pfl.defenses import Gpd
from p2pfl.defenses.gpd_detectors import Consistency, Cosine, Oracle

WIRES = ("model", "cumulative", "gradient")


@pytest.mark.parametrize(("wire", "first"), [("model", 11), ("own_gradient", 10)])
def test_schedule(federation, wire, first):
    # Models sent before training first tell of ten gradients in round 11.
    run = federation(Gpd(wire=wire, appeals=0), graph=nx.complete_graph(3), lr=0.01)
    checks = [run.round for _ in range(111) if not run.step() and run.merges[0].notes["check"]]
    assert checks == [first, first + 50, first + 100]


def test_forms_by_hand():
    model, start, previous, initial = (torch.tensor([float(x)]) for x in (7, 8, 20, 100))
    forms = {"model": 7.0, "cumulative": 93.0, "gradient": 13.0, "own_gradient": 1.0}
    for wire, wanted in forms.items():
        assert Gpd(wire=wire).encode(model, start, previous, initial).item() == wanted
    assert [Gpd(wire=wire).sends for wire in forms] == ["model"] + ["gradient"] * 3
    assert [Gpd(wire=wire).early for wire in forms] == [True] * 3 + [False]


def test_the_detector_goes_with_the_wire():
    assert isinstance(Gpd().judge, Consistency)
    assert isinstance(Gpd(wire="own_gradient").judge, Cosine)
    assert Gpd(wire="own_gradient", detector=Consistency()).judge == Consistency()
    assert not Gpd().trusting().judge.judges
    assert Gpd(wire="cumulative").trusting().wire == "cumulative"


@pytest.mark.parametrize("wire", [*WIRES, "own_gradient"])
def test_sketches_made_beforehand_change_nothing(federation, wire):
    defense = Gpd(wire=wire, first_window=3, sketch=7)

    @dataclass(frozen=True)
    class Engine:
        """Hands a defense what it prepared, as the engine does."""

        def __getattr__(self, name):
            return getattr(defense, name)

        def merge(self, view, state):
            last = state.memory.newest_own if state else torch.zeros(40)
            here = view.start - view.own if wire == "own_gradient" else -view.start
            own = {"model": view.start, "gradient": here - last}.get(wire, here)
            messages = [replace_vector(row) for row in (own, *view.received)]
            made = defense.prepare(messages, view.model, view.inputs)
            view = replace(view, own_prepared=made[0], prepared=made[1:])
            return defense.merge(view, state)

    plain, engine = federation(defense, p=40), federation(Engine(), p=40)
    plain.run(6)
    engine.run(6)
    for peer in plain.peers:
        assert torch.equal(plain.models[peer], engine.models[peer])
        assert plain.merges[peer].details == engine.merges[peer].details


@dataclass(frozen=True)
class Message:
    vector: object


def replace_vector(row):
    return Message(row.numpy())


@pytest.mark.parametrize("wire", [*WIRES, "own_gradient"])
def test_a_stored_state_goes_on_as_the_other(federation, wire):
    lost = lambda s, t, r: (s + t + r) % 5 == 0  # noqa: E731
    run = federation(Gpd(wire=wire, first_window=4), lost=lost).run(4)
    stored = pickle.loads(pickle.dumps(run.states))
    again = pickle.loads(pickle.dumps(run.models))
    run.run(8)
    other = federation(Gpd(wire=wire, first_window=4), lost=lost)
    other.round, other.states, other.models = 4, stored, again
    other._said = dict.fromkeys(run._said, run.initial)
    if wire != "gradient":  # whose peers also know what they said last
        other.run(8)
        for peer in run.peers:
            assert torch.equal(run.models[peer], other.models[peer])


def test_a_stored_state_has_each_vector_once(federation):
    run = federation(Gpd(), p=20_000).run(5)
    vectors = 4 * 20_000 * (len(run.graph[0]) + 2)  # its neighbours', its own, where all began
    sketches = 8 * 1021 * (3 * len(run.graph[0]) + 6)
    assert len(pickle.dumps(run.states[0])) < 1.1 * (vectors + sketches)


def test_own_models_are_kept_only_while_a_neighbour_is_silent(federation):
    run = federation(Gpd(memory=5), lost=lambda s, t, r: s == 1 and 4 <= r <= 12)
    kept = []
    for _ in range(16):
        run.step()
        kept.append(len(run.states[next(iter(run.graph[1]))].memory.own))
    assert kept == [1, 1, 1, 2, 3, 4, 5] + [1] * 9


def test_what_is_told(federation):
    run = federation(Gpd(first_window=3, detector=Oracle(adversaries=()))).run(3)
    merge = run.merges[0]
    assert set(merge.details) == {"recorded", "live", "inflow"}
    run.step()
    merge = run.merges[0]
    assert set(merge.details) == {
        "recorded", "live", "inflow", "chi", "ratio", "cosine", "pull", "answer",
        "persistence", "reach",
    }  # fmt: skip
    assert {len(numbers) for numbers in merge.details.values()} == {4}
    sender = min(run.graph[0])
    recorded = float((run.initial - run.starts[sender]).norm())
    assert merge.details["recorded"][0] == pytest.approx(recorded, rel=1e-5)
    inflow = 0.2 * float((run.starts[sender] - run.starts[0]).norm())
    assert merge.details["inflow"][0] == pytest.approx(inflow, rel=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": 0.0}, {"gain": 1.1}, {"first_window": 0}, {"pause": -1}, {"window": 0},
        {"guard": 0.0}, {"guard": float("inf")}, {"sketch": 0}, {"memory": 0}, {"readmissions": -1},
        {"appeals": -1},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Gpd(**wrong)
