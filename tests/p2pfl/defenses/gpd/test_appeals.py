"""Who is excluded and excludes others itself is taken back once, and judged again soon."""

import networkx as nx
import pytest

from p2pfl.defenses import Gpd
from p2pfl.defenses.gpd_detectors import Oracle


def accusing(*adversaries, **settings):
    detector = Oracle(adversaries=adversaries)
    return Gpd(first_window=4, pause=3, window=20, detector=detector, **settings)


def chain(federation, first=None, second=None):
    """0 - 1 - 2: from the first check on, in round 5, 0 excludes 1 and 1 excludes 2."""
    special = {0: first or accusing(1), 1: second or accusing(2)}
    return federation(accusing(), nx.path_graph(3), special=special)


def test_it_is_taken_back_when_its_notice_comes_and_judged_after_a_short_window(federation):
    run = chain(federation).run(5)
    assert (run.excluded(0), run.excluded(1)) == ({1}, {2})
    run.step()
    assert (run.excluded(0), run.excluded(1)) == (set(), {2})
    assert run.merges[0].details["live"] == [1.0]
    assert run.merges[0].influence.tolist() == pytest.approx([1 / 3])
    checks = [run.round for _ in range(30) if not run.step() and run.merges[0].notes["check"]]
    assert checks == [5 + 3 + 4, 12 + 3 + 20]


def test_only_once(federation):
    run = chain(federation).run(12)
    assert run.excluded(0) == {1}
    run.run(60)
    assert run.excluded(0) == {1}
    assert run.states[0].record.edges[1].appeals == 1


def test_who_excludes_nobody_stays_out(federation):
    run = chain(federation, second=accusing()).run(8)
    assert run.excluded(0) == {1}
    assert chain(federation).run(8).excluded(1) == {2}


@pytest.mark.parametrize("settings", [{"appeals": 0}, {"readmit": "off"}])
def test_nobody_is_taken_back_if_so_asked(federation, settings):
    run = chain(federation, first=accusing(1, **settings)).run(8)
    assert run.excluded(0) == {1}


def test_the_windows_of_the_others_end_with_it(federation):
    """Limits for a short window hold at the check after an appeal, and not behind it."""
    run = chain(federation).run(8)
    record = run.states[0].record
    assert (record.short, record.due, record.length) == (True, 12, 4)
    record = run.run(4).states[0].record
    assert (record.short, record.due, record.length) == (False, 12 + 3 + 20, 20)


def test_nothing_that_was_seen_before_the_appeal_counts(federation):
    """Peer 1 excludes 2 late, so that 0 hears of it in the middle of a window."""
    late = Gpd(first_window=9, pause=3, window=20, detector=Oracle(adversaries=(2,)))
    run = chain(federation, second=late).run(10)
    assert run.excluded(0) == {1}
    assert run.states[0].record.edges[1].seen > 0
    assert run.states[0].record.pulls.any()
    run.step()
    assert run.excluded(0) == set()
    assert run.states[0].record.edges[1].seen == 0
    assert not run.states[0].record.pulls.any()


def test_a_neighbour_between_hostile_ones_is_cleared_once_they_are_out(federation):
    """A ring in which peers 3, 6 and 9 pull their neighbours with a force that the others see."""
    setting = {"p": 200, "noise": 1.0, "hostile": (3, 6, 9), "lie": lambda f, s, t: f.starts[s] + 1}
    without, with_ = (
        federation(Gpd(appeals=appeals), nx.cycle_graph(12), **setting).run(36)
        for appeals in (0, 1)
    )
    assert without.wrongly()
    assert not with_.missed()
    assert not with_.wrongly()
