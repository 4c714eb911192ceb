"""IPM, inner product manipulation: send the benign mean's opposite, small enough to pass.

Source
    C. Xie, O. Koyejo, I. Gupta. "Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product
    Manipulation." UAI 2019. arXiv:1903.03936.

Departs from the paper:
    The message is a gradient there, -epsilon times the benign mean, and a model here. The update of
    a benign model is what it differs by from the adversary's own start, and the adversary sends
    its start minus epsilon times the mean of these. Starts differ between peers that have not
    agreed yet, and so do members' messages.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from p2pfl.attacks.base import Honest, to_all
from p2pfl.attacks.known import stand_ins
from p2pfl.rules.sums import average
from p2pfl.types import AdversaryView, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipm(Honest):
    """Send ``start - epsilon * (mean - start)``: ``{kind: ipm, epsilon: 0.5}``.

    Small epsilon hides among the benign updates and turns robust rules that select or average few
    rows; a plain average of b benign peers and a adversaries turns around at epsilon b / a.
    """

    epsilon: float = 0.1
    """Length of what is sent relative to the mean benign update, > 0."""
    knowledge: Literal["colluding", "full"] = "full"
    """Whose models it takes the mean of: its coalition's, or the benign peers'."""
    kind: Literal["ipm"] = "ipm"

    def __post_init__(self) -> None:
        if not (isfinite(self.epsilon) and self.epsilon > 0):
            raise ValueError(f"epsilon must be finite and > 0, got {self.epsilon}")

    @property
    def ignores_own(self) -> bool:
        """With ``full``. Where it then sees nobody, it takes what it started from."""
        return self.knowledge == "full"

    def craft(
        self, view: AdversaryView, state: None, rng: np.random.Generator
    ) -> tuple[Matrix, None]:
        """The same row for every target. Time O(v d) for the v models that it looks at."""
        update = average(stand_ins(view, self.knowledge)) - view.start
        return to_all(view, view.start - self.epsilon * update), None
