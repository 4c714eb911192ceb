"""The page of a comparison in a real browser."""

import pytest

from scenarios.compare.comparison import compare
from scenarios.compare.page import write_page
from scenarios.loader import load
from scenarios.runner import run

SMALL = (
    "runtime.executor=inline", "model={kind: logistic}", "data.train_samples=300", "rounds=3",
    "data.test_samples=100", "topology={kind: random_regular, peers: 8, degree: 4}",
    "attack={kind: backdoor}", "adversaries={placement: {kind: nodes, nodes: [0, 1]}}",
)  # fmt: skip
PANELS = """Array.from(document.querySelectorAll('.panel'), panel => [
    panel.id, panel.dataset.state ?? 'absent', panel.querySelectorAll('.main-svg').length > 0])"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of three arms, and what is compared on it."""
    folder = tmp_path_factory.mktemp("compared")
    for name, more in (
        ("a", ()),
        ("b", ("defense.rule={kind: mean}", "adversaries.placement.nodes=[0, 2]")),
        ("c", ("topology.peers=10",)),
    ):
        run(load("quickstart", [*SMALL, *more]), out=folder / name, picture=False)
    made = compare([folder / name for name in "abc"])
    return write_page(made, folder / "page.html"), made


@pytest.mark.parametrize("width", [1280, 390])
def test_all_panels_are_drawn_without_a_word_on_the_console(browser, pages, width):
    path, _ = pages
    browser.open(path, width, phone=width < 600)
    panels = browser.do(PANELS)
    assert [name for name, _, _ in panels] == [
        "accuracy-0-gain", "accuracy-0-both", "accuracy-0-peers", "accuracy-0-graph",
        "asr-0-gain", "asr-0-both", "asr-0-peers", "asr-0-graph",
        "accuracy-1-gain", "accuracy-1-both", "asr-1-gain", "asr-1-both",
    ]  # fmt: skip
    assert all(state == "drawn" and svg for _, state, svg in panels)
    assert browser.complaints() == []
    assert browser.asked_for() == [path.resolve().as_uri()]
    assert browser.do("document.documentElement.scrollWidth") <= width


def test_what_is_drawn_is_what_was_compared(browser, pages):
    path, made = pages
    browser.open(path)
    drawn = browser.do(
        "Array.from(document.querySelector('#accuracy-0-gain .chart')._fullData"
        ".find(trace => trace.name.startsWith('benign in both')).y)"
    )
    want = next(c for c in made[0].courses if (c.metric, c.role) == ("accuracy", "benign"))
    assert drawn == pytest.approx([100 * each.mean for each in want.estimates], abs=1e-3)
    said = browser.do("document.body.textContent")
    for text in ("defense.rule", "{kind: mean}", "→ adversary", "Where the runs part"):
        assert text in said
