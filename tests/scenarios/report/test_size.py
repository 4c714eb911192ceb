"""A report of 200 peers and 200 rounds stays small and opens soon."""

from itertools import product
from shutil import copytree
from time import perf_counter

import numpy as np
import pytest

from scenarios.report.folder import read_folder
from scenarios.report.page import write_report
from scenarios.tables import DECISIONS, EDGES, METRICS

ROUNDS = 200
OPEN = "['open', 'ready'].includes(document.documentElement.dataset.state)"
"""All charts in view are drawn."""


def write(path, header, rows):
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([",".join(header), *lines]) + "\n")


@pytest.fixture(scope="module")
def large(reported, tmp_path_factory):
    """The run of 200 peers with tables of as many rounds, of noise: nothing compresses worse."""
    folder = copytree(reported("two hundred").folder, tmp_path_factory.mktemp("large") / "run")
    run = read_folder(folder)
    rng = np.random.default_rng(0)
    values = iter(rng.random(10**6).tolist())
    peers, rounds = list(run.groups), range(1, ROUNDS + 1)
    role = {peer: group.partition("_")[0] for peer, group in run.groups.items()}
    write(folder / "metrics.csv", METRICS, (
        (5.0 * r + next(values), r, peer, role[peer], metric, next(values))
        for r, peer, metric in product(rounds, peers, ("accuracy", "asr"))
    ))  # fmt: skip
    heard = [(peer, other) for peer in run.benign for other in run.graph[peer]]
    write(folder / "edges.csv", EDGES, (
        (5.0 * r, r, peer, sender, role[sender], 0, next(values), int(next(values) < 0.1))
        for r, (peer, sender) in product(rounds, heard)
    ))  # fmt: skip
    write(folder / "decisions.csv", DECISIONS, (
        (5.0 * r, r, peer, sender, "distance", 0.5) for r, (peer, sender) in product(rounds, heard)
    ))  # fmt: skip
    return write_report(folder)


@pytest.mark.slow
def test_it_stays_under_ten_megabytes(large):
    assert 4e6 < large.stat().st_size < 10e6


@pytest.mark.slow
@pytest.mark.real_clock
def test_it_opens_in_three_seconds(browser, large):
    """By the clock; and by the work of the browser's main thread, as the machine may be busy."""
    began = perf_counter()
    browser.open(large, until=OPEN)
    took_s, worked_s = perf_counter() - began, browser.seconds()
    print(f"{took_s:.2f} s, of which the browser's main thread worked {worked_s:.2f} s")
    assert worked_s < 3
    assert took_s < 3
