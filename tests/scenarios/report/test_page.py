"""The page of a run in a real browser: it draws everything, asks nobody, and answers."""

import json

import pytest

EXPECTED_ABSENT = {
    "p2p": set(),
    "server": {"delays"},
    "two hundred": {"measured", "delays"},
    "one benign": {"measured", "delays"},
    "aborted": {"measured", "delays"},
    "aborted at once": {
        "accuracy-by-round", "accuracy-by-time", "graph-accuracy", "accuracy-by-hops",
        "accuracy-by-neighbours", "accuracy-by-adversaries", "rates", "measured", "map",
        "staleness", "round-times", "delays", "edges", "fates",
    },
    "nobody hostile": {
        "accuracy-by-round", "accuracy-by-time", "graph-accuracy", "accuracy-by-hops",
        "accuracy-by-neighbours", "accuracy-by-adversaries", "rates", "measured", "delays",
    },
}  # fmt: skip
PANELS = """Array.from(document.querySelectorAll('.panel'), panel => ({
    name: panel.id,
    state: panel.dataset.state ?? 'absent',
    drawn: panel.querySelectorAll('.main-svg').length,
    caption: panel.querySelector('figcaption, .absent').textContent,
    titles: Array.from(panel.querySelectorAll('.xtitle, .ytitle'), title => title.textContent),
}))"""


@pytest.mark.parametrize(
    ("name", "phone"),
    [*((name, False) for name in EXPECTED_ABSENT), ("p2p", True), ("two hundred", True)],
)
def test_all_panels_are_drawn_without_a_word_on_the_console(browser, reported, name, phone):
    path = reported(name).folder / "report.html"
    width = 390 if phone else 1280
    browser.open(path, width, phone)
    panels = browser.do(PANELS)
    states = {panel["name"]: panel["state"] for panel in panels}
    assert {name for name, state in states.items() if state == "absent"} == EXPECTED_ABSENT[name]
    assert set(states.values()) <= {"absent", "drawn"}
    for panel in panels:
        assert bool(panel["drawn"]) == (panel["state"] == "drawn")
        assert panel["caption"]
    assert browser.complaints() == []
    assert browser.asked_for() == [path.resolve().as_uri()]
    assert browser.do("document.documentElement.scrollWidth") <= width


def test_axes_have_titles_with_units(browser, reported):
    browser.open(reported("p2p").folder / "report.html")
    titles = {panel["name"]: panel["titles"] for panel in browser.do(PANELS)}
    assert titles["accuracy-by-round"] == ["round", "test accuracy (%)"]
    assert titles["asr-by-time"] == ["virtual time (s)", "attack success (ASR) (%)"]
    assert titles["accuracy-by-adversaries"][0] == "adversaries among the neighbours (%)"
    assert titles["delays"] == ["from sending to arriving (ms, virtual)", "messages (%)"]
    bare = {"graph-accuracy", "graph-asr"}  # a drawing of a graph has no axes
    assert {name for name, of in titles.items() if not of} == bare


def test_what_is_drawn_is_what_the_tables_say(browser, reported):
    record = reported("p2p")
    browser.open(record.folder / "report.html")
    drawn = browser.do(
        "Array.from(document.querySelector('#accuracy-by-round .chart')._fullData"
        ".filter(trace => trace.customdata).flatMap(trace => Array.from(trace.y)))"
    )
    rows = [row for row in record.table("metrics") if row["metric"] == "accuracy"]
    assert len(rows) == 6 * 8
    want = sorted(round(100 * float(row["value"]), 3) for row in rows)
    assert sorted(y for y in drawn if y is not None) == pytest.approx(want, abs=1e-3)


def test_the_slider_moves_the_graph_and_the_map(browser, reported):
    browser.open(reported("p2p").folder / "report.html")
    for name, shown in (
        ("graph-accuracy", "Array.from(chart._fullData.at(1).marker.color)"),
        ("map", "Array.from(chart._fullData[0].z.flatMap(row => Array.from(row)))"),
    ):
        chart = f"const chart = document.querySelector('#{name} .chart');"
        before = browser.do(f"(() => {{ {chart} return {shown}; }})()")
        browser.do(
            f"document.querySelector('#{name}').scrollIntoView({{block: 'end'}}), "
            "new Promise(requestAnimationFrame).then(() => null)"
        )
        rail = browser.do(
            f"(() => {{ const box = document.querySelector('#{name} .slider-rail-touch-rect')"
            ".getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })()"
        )
        left, top, width, height = rail
        y = top + height / 2
        browser.mouse("mousePressed", left + width - 3, y)
        browser.mouse("mouseMoved", left + width / 3, y)
        browser.mouse("mouseMoved", left + 2, y)
        browser.mouse("mouseReleased", left + 2, y)
        text = f"document.querySelector('#{name} .slider-label').textContent"
        browser.wait_for(f"{text}.match(/round 1( |$)/)")
        changed = f"JSON.stringify({shown}) !== {json.dumps(json.dumps(before))}"
        browser.wait_for(f"(() => {{ {chart} return {changed}; }})()")
    assert browser.complaints() == []


def test_a_peer_under_the_pointer_says_who_it_is(browser, reported):
    browser.open(reported("p2p").folder / "report.html")
    for name, mark, said in (
        ("graph-accuracy", ".scatterlayer .trace:nth-child(2) .point", "training samples"),
        ("accuracy-by-hops", ".scatterlayer .point", "peer "),
    ):
        browser.do(f"document.querySelector('#{name}').scrollIntoView({{block: 'center'}})")
        x, y = browser.do(
            f"(() => {{ const box = document.querySelector('#{name} {mark}')"
            ".getBoundingClientRect();"
            " return [box.left + box.width / 2, box.top + box.height / 2]; })()"
        )
        browser.mouse("mouseMoved", x - 3, y)
        browser.mouse("mouseMoved", x, y)
        text = f"document.querySelector('#{name} .hoverlayer')?.textContent"
        browser.wait_for(f"{text}?.includes('{said}')")
        assert "%" in browser.do(text)
        browser.mouse("mouseMoved", 1, 1)


def test_lines_of_single_peers_answer_too(browser, reported):
    browser.open(reported("p2p").folder / "report.html")
    browser.do("document.querySelector('#accuracy-by-round').scrollIntoView({block: 'center'})")
    x, y = browser.do(
        "(() => { const chart = document.querySelector('#accuracy-by-round .chart');"
        " const { _fullLayout: of, _fullData: data } = chart;"
        " const box = chart.querySelector('.nsewdrag').getBoundingClientRect();"
        " return [box.left + of.xaxis.l2p(data[0].x[2]), box.top + of.yaxis.l2p(data[0].y[2])];"
        "})()"
    )
    browser.mouse("mouseMoved", x - 2, y)
    browser.mouse("mouseMoved", x, y)
    text = "document.querySelector('#accuracy-by-round .hoverlayer')?.textContent"
    browser.wait_for(f"{text}?.includes('round 3')")
    assert "%" in browser.do(text)


def test_what_is_in_view_is_drawn_first_and_the_page_loads_until_all_is(browser, reported):
    noting = """window.noted = [];
    new MutationObserver(changes => {
        for (const { target } of changes)
            if (target.id) noted.push([target.id, document.readyState]);
    }).observe(document, { subtree: true, attributeFilter: ['data-state'] });"""
    browser.open(reported("p2p").folder / "report.html", at="#network", before=noting)
    browser.wait_for("document.readyState === 'complete'")
    names, states = zip(*browser.do("noted"), strict=True)
    # The browser may jump to the network after a chart or two at the top, but long before the map.
    assert names.index("edges") < names.index("graph-accuracy") < names.index("map")
    panels = browser.do("Array.from(document.querySelectorAll('.panel'), panel => panel.id)")
    assert sorted(names) == sorted(panels)
    assert set(states) == {"interactive"}


def test_it_can_be_printed(browser, reported, tmp_path):
    browser.open(reported("p2p").folder / "report.html", 1600)
    widths = "Array.from(document.querySelectorAll('.main-svg'), svg => svg.clientWidth)"
    assert max(browser.do(widths)) > 1000
    assert browser.print(tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    browser.do("dispatchEvent(new Event('beforeprint'))")
    assert max(browser.do(widths)) == 680
    assert browser.do("Array.from(document.querySelectorAll('details')).every(each => each.open)")
    browser.do("dispatchEvent(new Event('afterprint'))")
    browser.wait_for(f"Math.max(...{widths}) > 1000")
    assert browser.complaints() == []
