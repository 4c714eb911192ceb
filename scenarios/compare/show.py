"""A comparison on the terminal."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.compare.changed import Change
from scenarios.compare.comparison import Comparison
from scenarios.compare.differences import ROLES, Course, Estimate
from scenarios.compare.parting import Moment, Parting
from scenarios.compare.peers import PeerChange

MOST_ROUNDS = 8
MOST_PEERS = 10
METRICS = {"accuracy": "accuracy", "asr": "ASR"}
METHOD = {
    "peers": "B - A in percentage points: the mean over the peers, with its 95 % interval "
    "(Student's t, paired by peer); peers of one run train one another: it says how alike they "
    "fared, not what another seed gives",
    "seeds": "B - A in percentage points: the mean over the seeds, each that over its peers, with "
    "its 95 % interval (Student's t, paired by seed)",
}
"""What the intervals are, by what they are over."""


def method_of(made: Comparison) -> str:
    """What the differences of a comparison are, and their intervals."""
    if all(course.last.n == 1 for course in made.courses):
        return "B - A in percentage points; of a single difference there is no interval"
    return METHOD[made.over]


def show_comparison(made: Comparison, console: Console) -> None:
    """What differs, how they fared, which peers changed, and where they part."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    a, b = made.names
    say(f"[bold]A[/]: {escape(a)}\n[bold]B[/]: {escape(b)}")
    changes = [*made.keys, *made.outcomes]
    if changes:
        console.print(_changes(changes))
    else:
        say("the scenarios say the same")
    if made.uneven:
        say(f"[yellow]warning[/]: the pairs differ in different ways: {', '.join(made.uneven)}")
    if made.courses:
        console.print(_last(made.courses))
        say(method_of(made))
        for metric, role in (("accuracy", first_role(made)), ("asr", first_role(made))):
            for course in made.courses:
                if (course.metric, course.role) == (metric, role) and len(course.rounds) > 1:
                    console.print(_over_rounds(course))
    else:
        say("nothing was evaluated in both")
    if made.peers:
        console.print(_peers(made.peers, len(made.pairs) > 1))
        if len(made.peers) > MOST_PEERS:
            say(f"and {len(made.peers) - MOST_PEERS} peers more of which something changed")
    say(parting_of(made.partings))
    for parting in made.partings:
        for name, side in (("A", parting.a), ("B", parting.b)):
            say(f"  {parting.file} line {parting.line}, {name}: {escape(moment(side))}")


def first_role(made: Comparison) -> str:
    """The widest role that there is figures of."""
    there = {course.role for course in made.courses}
    return next((role for role in ("benign", "server", "judged") if role in there), "benign")


def parting_of(partings: Sequence[Parting]) -> str:
    """In one line, where the runs part."""
    if not partings:
        return "the runs never part: their tables are equal"
    first = partings[0]
    if first.time_s is None:
        return f"the runs part in {first.file}"
    return f"the runs part at {first.time_s:.6g} s of virtual time; the first lines that differ:"


def moment(side: Moment | None) -> str:
    """One line of a table in words."""
    if side is None:
        return "has ended"
    time = "" if side.time_s is None else f"{side.time_s:.6g} s: "
    who = "" if side.peer is None else f"peer {side.peer} "
    return f"{time}{who}{side.what}"


def figures(estimate: Estimate) -> list[str]:
    """A, B, B - A and its interval, in % and percentage points."""
    interval = "-"
    if estimate.low is not None and estimate.high is not None:
        interval = f"{100 * estimate.low:+.1f} to {100 * estimate.high:+.1f}"
    return [
        f"{100 * estimate.a:.1f}",
        f"{100 * estimate.b:.1f}",
        f"{100 * estimate.mean:+.1f}",
        interval,
        str(estimate.n),
    ]


FIGURES = ("A (%)", "B (%)", "B - A", "95 % interval", "n")
"""What :func:`figures` gives; differences in percentage points."""

_GROUPS = {"benign_other": "not dominated", "benign_dominated": "dominated"}


def peer_cells(change: PeerChange) -> list[str]:
    """Peer, role, accuracy, ASR, and neighbours, in words and %."""
    role, now = (_GROUPS.get(group, group) for group in (change.group_a, change.group_b))
    return [
        str(change.peer),
        role if role == now else f"{role} → {now}",
        _from_to(change.accuracy_a, change.accuracy_b),
        _from_to(change.asr_a, change.asr_b),
        _some(change.lost),
        _some(change.gained),
        _some(change.accepted),
        _some(change.rejected),
    ]


PEER_CELLS = (
    "peer", "role", "accuracy (%)", "ASR (%)", "hears no more", "hears now", "accepts now",
    "rejects now",
)  # fmt: skip
"""What :func:`peer_cells` gives."""


def _table(title: str, columns: Iterable[str], left: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        words = column in left
        table.add_column(column, justify="left" if words else "right", no_wrap=not words)
    return table


def _changes(changes: Sequence[Change]) -> Table:
    table = _table("what differs", ("what", "A", "B"), ("what", "A", "B"))
    for change in changes:
        table.add_row(*map(escape, change))
    return table


def _last(courses: Sequence[Course]) -> Table:
    table = _table("at the end", ("figure", "of", *FIGURES), ("figure", "of"))
    for course in courses:
        table.add_row(METRICS[course.metric], ROLES[course.role], *figures(course.last))
    return table


def _over_rounds(course: Course) -> Table:
    title = f"{METRICS[course.metric]} by round, {ROLES[course.role]}"
    table = _table(title, ("round", *FIGURES), ())
    most = len(course.rounds) - 1
    for k in np.unique(np.linspace(0, most, min(most + 1, MOST_ROUNDS)).astype(int)).tolist():
        table.add_row(str(course.rounds[k]), *figures(course.estimates[k]))
    return table


def _peers(changes: Sequence[PeerChange], several: bool) -> Table:
    shown = [peer_cells(change) for change in changes[:MOST_PEERS]]
    # Columns in which nobody has anything are left out.
    kept = [k for k in range(len(PEER_CELLS)) if any(cells[k] != "-" for cells in shown)]
    columns = [PEER_CELLS[k] for k in kept]
    table = _table(
        "which peers changed, most first", ["seed"] * several + columns, ("role", *PEER_CELLS[4:])
    )
    for change, cells in zip(changes, shown, strict=False):
        table.add_row(*[change.seed] * several, *(cells[k] for k in kept))
    return table


def _from_to(a: float | None, b: float | None) -> str:
    if a is None and b is None:
        return "-"
    return " → ".join("-" if value is None else f"{100 * value:.1f}" for value in (a, b))


def _some(peers: Sequence[int]) -> str:
    return ", ".join(map(str, peers[:8])) + (", ..." if len(peers) > 8 else "") or "-"
