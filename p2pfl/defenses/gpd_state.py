"""What a peer under GPD keeps from merge to merge: plain data, which a snapshot can store."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from p2pfl.defenses.gpd_flows import Kept
from p2pfl.defenses.gpd_memory import Memory
from p2pfl.defenses.gpd_record import Record
from p2pfl.defenses.gpd_wires import compared
from p2pfl.defenses.sketch import Sketch, sketch
from p2pfl.types import Neighbourhood, Vector

if TYPE_CHECKING:
    from p2pfl.defenses.gpd import Gpd


@dataclass(frozen=True, slots=True, kw_only=True)
class GpdState:
    """The state of one peer."""

    initial: Vector
    """(d,) the model where all began."""
    origin: Sketch
    """(s,) its parameters' sketch."""
    record: Record
    memory: Memory
    kept: Kept
    out: frozenset[int]
    """Neighbours whose edges were not in use in the last round."""

    @classmethod
    def begun(cls, gpd: "Gpd", view: Neighbourhood) -> "GpdState":
        """Before the first merge, whose start is where all began."""
        initial, p = view.start, view.model.layout.p
        first = view.round if view.merge is None else view.merge
        judges = gpd.judge.judges
        origin = sketch(initial[:p].cpu().numpy(), gpd.sketch) if judges else np.zeros(0)
        # What is sent before training first says something in the second round.
        due = first - 1 + gpd.first_window + int(gpd.early)
        before = compared(gpd.wire, initial, initial, initial)
        return cls(
            initial=initial,
            origin=origin,
            record=Record.begun(first, gpd.first_window, due, len(origin)),
            memory=Memory.begun(first, before),
            kept=Kept({}, {}, {}),
            out=frozenset(),
        )
