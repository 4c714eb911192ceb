"""A repaired graph on the terminal: what was changed, and each neighbourhood before and after."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from graphs.neighbourhoods import PeerReport
from scenarios.repair import Repaired, State

MOST_EDGES = 30
"""Edges that are named on the terminal; repair.json has all."""


def show_repaired(made: Repaired, console: Console) -> None:
    """Show what :func:`scenarios.repair.repair_scenario` did."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    say(f"wanted: {made.wanted}")
    say(_changes(made))
    console.print(_neighbourhoods(made))
    console.print(_figures(made.before, made.after))
    say("adversaries are known here; who repairs a real network does not know them")
    say(f"repaired scenario: {made.folder / 'scenario.yaml'}")


def _changes(made: Repaired) -> str:
    added, removed = made.repair.added, made.repair.removed
    if not added:
        return "nothing is to change: it holds already"
    text = f"edges added: {_edges(added)}"
    if removed:
        text += f"\nedges removed: {_edges(removed)}"
    sure = (
        f"no fewer than {len(added)} would do: proven"
        if made.repair.fewest
        else f"the search was cut short: between {made.repair.at_least} and {len(added)} are needed"
    )
    edges = "1 edge" if len(added) == 1 else f"{len(added)} edges"
    kind = "of adversaries moved to between benign peers" if removed else "added"
    return f"{text}\n{edges} {kind}; {sure}"


def _edges(edges: Sequence[tuple[int, int]]) -> str:
    more = f" and {len(edges) - MOST_EDGES} more" if len(edges) > MOST_EDGES else ""
    return ", ".join(f"{i}-{j}" for i, j in edges[:MOST_EDGES]) + more


def _neighbourhoods(made: Repaired) -> Table:
    table = Table(title="benign peers that hear others than before", title_justify="left")
    for column in ("peer", "benign", "adversaries", "share", "before", "after"):
        table.add_column(column, justify="left" if column in ("before", "after") else "right")
    pairs = zip(made.before.report.peers, made.after.report.peers, strict=True)
    for old, new in pairs:
        if (old.benign, old.adversaries) != (new.benign, new.adversaries):
            table.add_row(
                str(old.peer),
                _from_to(old.benign, new.benign),
                _from_to(old.adversaries, new.adversaries),
                f"{old.share:.2f} → {new.share:.2f}",
                _verdict(old, made.before),
                _verdict(new, made.after),
            )
    return table


def _from_to(old: int, new: int) -> str:
    return str(old) if old == new else f"{old} → {new}"


def _verdict(peer: PeerReport, state: State) -> str:
    if peer.dominated:
        return "dominated"
    return "condition violated" if peer.peer in state.unsound else "sound"


def _figures(before: State, after: State) -> Table:
    table = Table(title="before and after", title_justify="left")
    for column in ("", "before", "after"):
        table.add_column(column, justify="right" if column else "left")
    for name, old, new in zip(_NAMES, _values(before), _values(after), strict=True):
        table.add_row(name, old, new)
    return table


_NAMES = (
    "benign peers for whom it does not hold", "dominated benign peers", "edges",
    "most weight on adversaries at one peer", "parts of the benign graph",
    "spectral gap of the benign graph",
)  # fmt: skip


def _values(state: State) -> list[str]:
    report, gap = state.report, state.spectral_gap
    return [
        f"{len(state.unsound)} of {len(report.peers)}",
        f"{report.dominated} of {len(report.peers)}",
        str(state.edges),
        f"{report.delta_max:.2f}",
        str(report.components),
        "not computed" if gap is None else f"{gap:.4g}",
    ]
