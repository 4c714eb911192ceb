"""How Ray is started: alone or on the cluster that is named, and nowhere else."""

import os

import pytest

from actors import on_ray


@pytest.fixture
def asked(monkeypatch):
    """What Ray was asked for; it is not started."""
    calls = []
    monkeypatch.setattr(on_ray.ray, "init", lambda address, **options: calls.append(address))
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")  # so that it is put back, whatever start_ray sets
        monkeypatch.delenv(name)
    return calls


def test_it_joins_no_cluster_that_happens_to_run_here(asked):
    on_ray.start_ray()
    assert asked == ["local"]


def test_each_has_its_own_token(asked, monkeypatch):
    tokens = set()
    for _ in range(2):
        on_ray.start_ray()
        tokens.add(os.environ["RAY_AUTH_TOKEN"])
        monkeypatch.delenv("RAY_AUTH_TOKEN")
    assert len(tokens) == 2


def test_it_joins_the_cluster_that_is_named_with_the_token_of_that(asked, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    on_ray.start_ray()
    assert asked == ["head:6379"]
    assert "RAY_AUTH_TOKEN" not in os.environ
