"""What ``p2pfl check`` says of FedGrad's histories."""

import pytest

from scenarios.build import build
from scenarios.check import check_as_json, histories
from scenarios.cli import main

STAR = {"topology": {"kind": "clients", "peers": 3}}


def test_three_clients_in_twos_by_hand(loaded):
    server = {"participants": 2, "strategy": {"kind": "fed_grad"}}
    found = histories(build(loaded(**STAR, server=server)))
    assert found.everybody == pytest.approx(2.5)  # 1 + 3 / (3 - 1)
    assert found.pairs == pytest.approx(3 + 8 / 3)  # three pairs, each missed with 2/3


def test_all_at_once_and_one_at_a_time(loaded):
    everybody = {"server": {"strategy": {"kind": "fed_grad"}}}
    assert check_as_json(build(loaded(**STAR, **everybody)))["histories"] == {
        "everybody": 1.0,
        "pairs": 1.0,
    }
    one = {"server": {"participants": 1, "strategy": {"kind": "fed_grad"}}}
    found = histories(build(loaded(**STAR, **one)))
    assert found.everybody == pytest.approx(1 + 3 / 2 + 3)
    assert found.pairs is None


def test_nothing_is_said_of_other_methods(loaded):
    assert check_as_json(build(loaded(**STAR, server={})))["histories"] is None
    assert check_as_json(build(loaded()))["histories"] is None


@pytest.mark.parametrize("warm", [None, {"epochs": 2}])
def test_the_sentence(loaded, capsys, warm):
    model = {"kind": "logistic", "warm_start": warm}
    server = {"participants": 2, "strategy": {"kind": "fed_grad", "hard_from": 7}}
    path = loaded(**STAR, server=server, model=model).source
    assert main(["check", path]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "every client has taken part by round 3 on average, or earlier" in out
    assert (
        "every two of them together by round 6; the hard filter begins in round 7, the run has 3"
        in out
    )
    assert ("it needs model.warm_start" in out) == (warm is None)
