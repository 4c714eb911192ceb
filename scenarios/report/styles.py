"""How charts look: told apart by colour-blind readers, by shape as well as by colour."""

from typing import NamedTuple


class Style(NamedTuple):
    """How the peers of one group are drawn."""

    label: str
    colour: str
    marker: str
    """As matplotlib calls it."""
    line: str
    symbol: str
    """The same for Plotly."""
    dash: str


COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
"""Of lines that stand for methods: Okabe and Ito's palette, but for yellow. Marks differ too."""

# Okabe and Ito's palette.
STYLES = {
    "server": Style("server", "#009E73", "p", "-", "pentagon", "solid"),
    "benign_other": Style("benign, not dominated", "#0072B2", "o", "-", "circle", "solid"),
    "benign_dominated": Style("benign, dominated", "#E69F00", "s", "--", "square", "dash"),
    "adversary": Style("adversary", "#B23A00", "D", ":", "diamond", "dot"),
}
"""By group, in the order of legends."""

UNKNOWN = "#BDBDBD"
"""Of what was not measured."""

SCALE = "Viridis"
"""Dark for little, bright for much; its lightness grows evenly, in print too. It has no grey."""


def group_of(role: str, dominated: bool) -> str:
    """The group of a peer by what topology.graphml says of it."""
    if role in ("adversary", "server"):
        return role
    return "benign_dominated" if dominated else "benign_other"
