"""DBA, the distributed backdoor attack: each adversary trains on one part of the trigger.

Source
    C. Xie, K. Huang, P.-Y. Chen, B. Li. "DBA: Distributed Backdoor Attacks against Federated
    Learning." ICLR 2020.

Departs from the paper:
    This is the data half. The paper also scales what is sent: nest it, ``{kind:
    model_replacement, gamma: 100, data: {kind: dba}}``. There 20 of 64 samples in each batch are
    poisoned; here that share of all samples, so that batches have it on average. A member's part is
    its own throughout; in FedGrad's code parts are dealt anew among the adversaries of each round.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from p2pfl.attacks.backdoors import DataBackdoor, check_share, stamp
from p2pfl.attacks.trigger_backdoor import stamped
from p2pfl.data.triggers import PARTS, Trigger
from p2pfl.types import Backdoor, Samples

_BARS = Trigger(shape="bars", size=4, gap=2, row=0, col=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dba(DataBackdoor):
    """Member i of the coalition stamps part i mod 4 of the trigger; the test all: ``{kind: dba}``.

    The default trigger is the paper's on MNIST and needs 4 x 10 pixels; ``size: 2, gap: 1`` fits
    the 8 x 8 of digits.
    """

    target: int = 2
    """The class that stamped images are to be taken for."""
    trigger: Trigger = _BARS
    """The whole trigger. A part of it that is set here is all that anybody stamps."""
    poison_rate: float = 20 / 64
    """Share of its samples that are stamped and relabelled, in (0, 1]."""
    kind: Literal["dba"] = "dba"

    def __post_init__(self) -> None:
        DataBackdoor.__post_init__(self)
        check_share("poison_rate", self.poison_rate)

    def as_member(self, index: int) -> Self:
        """With its own part of the trigger."""
        if self.trigger.part is not None:
            return self
        return replace(self, trigger=replace(self.trigger, part=index % PARTS))

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """Poison round(rate * n) samples, drawn at random, with what it has of the trigger."""
        return stamped(data, self.trigger, self.poison_rate, self.target, rng)

    def backdoor(self, test: Samples) -> Backdoor:
        """Every test image with the whole trigger."""
        return self._goal(stamp(test.inputs, self.trigger), test.labels, test.classes)
