"""Tables as papers have them: by hand, from made-up rows."""

from dataclasses import replace
from statistics import stdev

import pytest

from scenarios.paper_table import layout_of, paper_tables
from scenarios.paper_text import fields, latex, markdown
from scenarios.references import REFERENCES
from scenarios.results import RESULTS, grid
from scenarios.schema import Evaluate
from scenarios.sweep import Axis, References, Sweep


def axis(key, values):
    return Axis(key, tuple(values), tuple(map(str, values)), ((),) * len(values))


def sweep_of(*axes):
    return Sweep(axes, (), None, References((), {}))


def rows_of(sweep, result):
    """A row per combination; ``result`` gives what is known of it, by the names of its values."""
    rows = [{}]
    for each in sweep.axes:
        rows = [{**row, each.key: name} for row in rows for name in each.names]
    return [{**dict.fromkeys(RESULTS), "status": "done", **row, **result(row)} for row in rows]


STUDY = sweep_of(
    axis("defense", ["mean", "krum"]), axis("attack", ["none", "alie"]), axis("seed", ["1", "2"])
)
ACCURACIES = {
    ("mean", "none"): (0.90, 0.92),
    ("mean", "alie"): (0.30, 0.20),
    ("krum", "none"): (0.80, 0.80),
    ("krum", "alie"): (0.70, 0.74),
}


def result(row):
    pair = ACCURACIES[row["defense"], row["attack"]]
    second = row["seed"] == "2"
    return {
        "accuracy": pair[second],
        "local_only": 0.5 + 0.1 * second,
        "benign_only": 0.9,
        "asr": 0.25 if row["attack"] == "alie" else None,
    }


def test_mean_spread_best_and_worst_case():
    accuracy, asr = paper_tables(STUDY, rows_of(STUDY, result))
    head, mean, krum, *references = fields(accuracy)
    assert [text for text, _ in head] == ["defense", "none", "alie", "worst case"]
    assert mean == [("mean", False), ("91.0 ± 1.4", True), ("25.0 ± 7.1", False),
                    ("25.0 ± 7.1 (alie)", False)]  # fmt: skip
    assert krum == [("krum", False), ("80.0 ± 0.0", False), ("72.0 ± 2.8", True),
                    ("72.0 ± 2.8 (alie)", True)]  # fmt: skip
    assert [line[0].text for line in references] == [f"({name})" for name in REFERENCES]
    assert references[0][1] == (f"55.0 ± {100 * stdev([0.5, 0.6]):.1f}", False)
    assert accuracy.title == (
        "test accuracy in %, mean ± standard deviation over 2 seeds, higher is better"
    )
    # Of the success of an attack the least is the best; equals are all best.
    head, mean, krum = fields(asr)
    assert [text for text, _ in head] == ["defense", "alie"]  # without attack there is none
    assert mean[1:] == [("25.0 ± 0.0", True)]
    assert krum[1].bold
    assert asr.references == ()


@pytest.mark.parametrize(("evaluate", "columns", "when"), [
    (Evaluate(), ("accuracy", "asr"), ("", "")),
    (Evaluate(score="best"), ("best", "asr"), (" at the best round", " after the last round")),
    (Evaluate(score="late", late_rounds=5), ("late_mean", "late_asr"),
     (" over the last 5 rounds", " over the last 5 rounds")),
    (Evaluate(score="late"), ("late_mean", "late_asr"),
     (" over the last sixth of the rounds", " over the last sixth of the rounds")),
], ids=["last", "best", "late", "a sixth"])  # fmt: skip
def test_which_rounds_count(evaluate, columns, when):
    sweep = replace(STUDY, evaluate=evaluate)
    rows = rows_of(sweep, lambda row: dict(zip(columns, (0.5, 0.25), strict=True)))
    accuracy, asr = paper_tables(sweep, rows)
    assert [table.lines[0].entries[0].mean for table in (accuracy, asr)] == [0.5, 0.25]
    assert accuracy.title.startswith(f"test accuracy{when[0]} in %, mean ± standard")
    assert asr.title.startswith(f"attack success rate (ASR){when[1]} in %, mean ± standard")
    assert [line[0] for line in grid(sweep, rows, columns[0])][1:] == ["mean", "krum"]


def test_the_mean_over_the_attacks_and_its_spread_over_seeds():
    sweep = sweep_of(axis("defense", ["a", "b"]), axis("attack", ["none", "x", "y"]),
                     axis("seed", [1, 2]))  # fmt: skip
    shares = {("a", "x"): (0.2, 0.3), ("a", "y"): (0.4, 0.7), ("b", "x"): (0.4, 0.4),
              ("b", "y"): (0.5, 0.5)}  # fmt: skip

    def result(row):
        pair = shares.get((row["defense"], row["attack"]), (0.9, 0.9))
        return {"accuracy": pair[int(row["seed"]) - 1], "local_only": 0.1 * int(row["seed"])}

    rows = rows_of(sweep, result)
    head, a, b, alone = fields(paper_tables(sweep, rows)[0])
    assert [text for text, _ in head][-2:] == ["mean of 2 attacks", "worst case"]
    # Seed 1: (0.2 + 0.4) / 2 = 0.3, seed 2: 0.5. Without an attack does not count.
    assert a[-2] == (f"40.0 ± {100 * stdev([0.3, 0.5]):.1f}", False)
    assert b[-2] == ("45.0 ± 0.0", True)
    assert alone[-2].text == f"15.0 ± {100 * stdev([0.1, 0.2]):.1f}"
    rows[2] |= {"status": "failed", "accuracy": None}  # a under x
    _, a, b, _ = fields(paper_tables(sweep, rows)[0])
    assert (a[-2].text, b[-2].bold) == ("failed", True)


def test_a_failed_cell_is_said_and_competes_with_nobody():
    rows = rows_of(STUDY, result)
    rows[0] |= {"status": "failed", "accuracy": None}
    _, mean, krum, *_ = fields(paper_tables(STUDY, rows)[0])
    assert mean[1] == ("failed", False)
    assert krum[1].bold
    assert mean[3].text.endswith("(alie)")


def test_one_seed_has_no_spread_and_further_axes_make_tables():
    sweep = sweep_of(axis("attack", ["none", "alie"]), axis("rounds", [3, 9]), axis("defense", "a"))
    layout = layout_of(sweep)
    assert (layout.down.key, layout.across.key) == ("defense", "attack")
    assert [each.key for each in layout.further] == ["rounds"]
    tables = paper_tables(sweep, rows_of(sweep, lambda row: {"accuracy": int(row["rounds"]) / 10}))
    assert [dict(table.at) for table in tables] == [{"rounds": "3"}, {"rounds": "9"}]
    assert fields(tables[1])[1][1] == ("90.0", True)
    assert tables[0].title == "test accuracy in %, one seed, higher is better; rounds: 3"


@pytest.mark.parametrize(("axes", "down", "across"), [
    ([axis("training.lr", [1, 2]), axis("seed", [1])], "training.lr", None),
    ([axis("attack.scale", [1, 2])], "attack.scale", None),
    ([axis("topology.peers", [4]), axis("attack", "ab")], "topology.peers", "attack"),
    ([axis("rounds", [4]), axis("defense.rule.f", [1])], "defense.rule.f", "rounds"),
    ([axis("seed", [1, 2])], None, None),
])  # fmt: skip
def test_which_axis_goes_where(axes, down, across):
    sweep = sweep_of(*axes)
    layout = layout_of(sweep)
    assert (layout.down and layout.down.key, layout.across and layout.across.key) == (down, across)
    [table] = paper_tables(sweep, rows_of(sweep, lambda row: {"accuracy": 0.5}))
    assert len(fields(table)) == 1 + len(layout.down.names if layout.down else ("all",))


def test_values_that_set_several_keys_go_where_their_first_key_does():
    hostile = Axis("hostile", ({"name": "few", "set": {"attack.scale": 1, "rounds": 2}},), ("few",),
                   ((),))  # fmt: skip
    layout = layout_of(sweep_of(hostile, axis("rounds", [1])))
    assert (layout.down.key, layout.across.key) == ("rounds", "hostile")


def test_markdown_and_latex():
    table, _ = paper_tables(STUDY, rows_of(STUDY, result))
    table = replace(table, lines=(table.lines[0]._replace(name="a|b_%"), *table.lines[1:]))
    assert markdown([table]).splitlines()[2:5] == [
        "| defense | none | alie | worst case |",
        "| --- | ---: | ---: | ---: |",
        r"| a\|b_% | **91.0 ± 1.4** | 25.0 ± 7.1 | 25.0 ± 7.1 (alie) |",
    ]
    text = latex([table])
    assert r"a|b\_\% & \textbf{91.0 $\pm$ 1.4} & 25.0 $\pm$ 7.1" in text
    assert text.index(r"krum &") < text.rindex(r"\midrule") < text.index(r"(local\_only)")
    assert text.count(r"\begin{tabular}{lrrr}") == text.count(r"\end{tabular}") == 1
