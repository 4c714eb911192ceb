"""Finetuning: average, then train the global model on clean samples of the server's own.

Source
    B. Wu et al. "BackdoorBench: A Comprehensive Benchmark of Backdoor Learning." NeurIPS 2022:
    fine-tuning on clean samples as a defense. At a server, as a baseline: He, Huang, Yang, Liu, Ye.
    "SPMC: Self-Purifying Federated Backdoor Defense via Margin Contribution." ICML 2025.

Departs from the paper:
    By default the clients go on from the tuned model. In SPMC's code it is only evaluated, and they
    go on from the average (``clients_start: average``).
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from p2pfl.strategies.base import ServerStrategy, averaged, claimed_shares
from p2pfl.strategies.types import Gathering, Instruction
from p2pfl.types import Merge, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning(ServerStrategy):
    """Average, then train on the held-out samples: ``{kind: finetuning, epochs: 1}``.

    Nobody is left out: what the clean samples do not contradict stays.
    """

    holds_out: ClassVar[bool] = True

    epochs: int = 1
    """Passes over the held-out samples in each round, >= 1."""
    clients_start: Literal["tuned", "average"] = "tuned"
    """What clients train from in the next round: the tuned model, or the average before it."""
    weights: Literal["samples", "uniform"] = "samples"
    """samples: average by the samples that each client claims; a claim is believed. uniform: all
    alike, as SPMC's baseline."""
    kind: Literal["finetuning"] = "finetuning"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be >= 1, got {self.epochs}")

    def init(self, model: Vector) -> Vector | None:
        """The average of the last round, where clients start from it; at first there is none."""
        return None

    def instruct(
        self, model: Vector, state: Vector | None, round_: int, client: int
    ) -> Instruction:
        """The tuned model, or the average that it was tuned from."""
        return Instruction(vector=model if state is None else state)

    def effort(self, messages: int, held_out: int) -> float:
        """The server's training, if anybody answered."""
        return float(self.epochs * held_out) if messages else 0.0

    def aggregate(self, view: Gathering, state: Vector | None) -> tuple[Merge, Vector | None]:
        """train(sum over n_k w_k / sum over n_k). Where nobody answered the model stays.

        Influence is the share in the average.

        Cost:
            The server's training, and time O(m d).
        """
        shares = claimed_shares(view, self.weights)
        average = averaged(view, shares)
        if not any(shares):
            return average, state
        tuned = replace(average, model=view.train(average.model, self.epochs))
        return tuned, average.model if self.clients_start == "average" else None
