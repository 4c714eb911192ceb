"""``p2pfl run --watch``: the report of a run that is under way, for this machine alone."""

import json
import os
import socket
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import scenarios.report.live
from p2pfl.errors import ScenarioError
from scenarios.cli import main
from scenarios.loader import load
from scenarios.report.live import HOST, LivePage, LiveReport
from scenarios.runner import run
from scenarios.watcher import Watcher, Watchers

FEW = (
    "rounds=20", "runtime.executor=inline", "model={kind: logistic}", "data.train_samples=400",
    "data.test_samples=100", "topology={kind: complete, peers: 4}", "attack={kind: backdoor}",
    "adversaries={count: 1}",
)  # fmt: skip
DRAWN = (
    "Array.from(document.querySelector('#accuracy-by-round .chart')._fullData"
    ".filter(trace => trace.customdata).flatMap(trace => Array.from(trace.y)))"
)


class Probe(Watcher):
    """Calls ``do(n)`` when n rounds of single peers are over."""

    def __init__(self, do):
        self.do, self.over = do, 0

    def round_over(self, peer, round_):
        self.over += 1
        self.do(self.over)


def get(url, **headers):
    with urlopen(Request(url, headers=headers)) as answer:
        return answer.read().decode()


@pytest.fixture
def watched(tmp_path):
    """``watched(do)``: a run that is served, and what it said; ``do`` is called as by Probe."""

    def make(do):
        said = []
        live = LiveReport(say=said.append)
        folder = tmp_path / "run"
        here = SimpleNamespace(live=live, url=live.url, said=said, folder=folder)
        probe = Probe(lambda over: do(here, over))
        both = Watchers([live, probe])
        here.record = run(load("quickstart", FEW), out=folder, watcher=both, picture=False)
        return here

    return make


def test_it_is_served_from_the_start_until_the_end(watched):
    pages = []

    def look(here, over):
        if over == 1:
            assert json.loads(get(here.url + "news"))["over"] is False
            pages.append(get(here.url))
            assert get(here.url + "plotly.js").startswith("/**")

    here = watched(look)
    assert here.said == [f"watch:      {here.url}"]
    [page] = pages
    assert "The run is under way; this page follows it." in page
    assert '<script src="plotly.js"></script>' in page
    assert len(page) < 500_000
    with pytest.raises(OSError, match="refused"):
        get(here.url)


def test_only_this_machine_is_answered_by_its_own_name(watched):
    def look(here, over):
        if over > 1:
            return
        assert here.url.startswith("http://127.0.0.1:")
        port = here.url.rpartition(":")[2].rstrip("/")
        assert get(here.url + "news", Host=f"localhost:{port}")
        for path, host, code in (
            ("", f"elsewhere.example:{port}", 403),
            ("scenario.yaml", f"{HOST}:{port}", 404),
            ("../log.txt", f"{HOST}:{port}", 404),
        ):
            with pytest.raises(HTTPError) as refused:
                get(here.url + path, Host=host)
            assert refused.value.code == code
            refused.value.close()

    assert watched(look).record.status == "done"


def test_a_port_that_is_taken_is_wrong_input(tmp_path, capsys):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ScenarioError, match=f"--port {port}: cannot be had on 127.0.0.1"):
            LiveReport(port)
        out = tmp_path / "run"
        sets = [part for each in FEW for part in ("--set", each)]
        assert (
            main(["run", "quickstart", *sets, "--watch", "--port", str(port), "--out", str(out)])
            == 2
        )
        assert "0 takes any free one" in capsys.readouterr().err
        assert not out.exists()


def test_a_port_alone_is_a_mistake(capsys):
    assert main(["run", "quickstart", "--port", "8000"]) == 2
    assert "--port is that of --watch" in capsys.readouterr().err


def test_a_page_is_made_once_for_each_state_and_not_all_the_time(reported, tmp_path, monkeypatch):
    folder = reported("nobody hostile").folder
    made = []
    monkeypatch.setattr(
        scenarios.report.live, "page", lambda run, version: made.append(version) or ""
    )
    now = [0.0]

    def clock():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(scenarios.report.live, "monotonic", clock)
    summary = folder / "summary.json"
    before = summary.stat().st_mtime_ns
    live = LivePage(folder)
    live.whole()
    live.whole()
    assert made == [str(before)]
    os.utime(summary, ns=(before, before + 1))
    assert live.version() == before  # it took some seconds: not yet
    now[0] += 30
    assert live.version() == before + 1
    live.over = True
    os.utime(summary, ns=(before, before + 2))
    live.whole()
    assert made == [str(before), str(before + 2)]
    os.utime(summary, ns=(before, before))


def test_a_browser_follows_the_run_to_its_last_state(browser, watched):
    seen = []

    def look(here, over):
        if over == 60:  # by then the files have some rounds
            browser.open(here.url)
            seen.append(browser.do(DRAWN))
            # So that it asks at least once before the run ends, whoever is faster.
            browser.wait_for("performance.getEntriesByName(location.href + 'news').length")

    here = watched(look)
    browser.wait_for("document.getElementById('live').dataset.state")
    assert browser.do("document.getElementById('live').dataset.state") == "over"
    rows = [row for row in here.record.table("metrics") if row["metric"] == "accuracy"]
    want = sorted(round(100 * float(row["value"]), 3) for row in rows)
    last = sorted(y for y in browser.do(DRAWN) if y is not None)
    assert last == pytest.approx(want, abs=1e-3)
    assert len([y for y in seen[0] if y is not None]) < len(last)
    assert browser.do("document.querySelectorAll('.panel[data-state=failed]').length") == 0
    assert browser.complaints() == []
