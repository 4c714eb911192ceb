"""Byz-DeSGD: in every round the clients send momenta of one class, which are alike.

Source
    J. Xu, G. Yan, Z. Zheng, S.-L. Huang. "Mitigating Model Poisoning Attacks on Distributed
    Learning with Heterogeneous Data." ICMLA 2023. doi 10.1109/icmla58977.2023.00108: algorithm 1.
    The authors have published no code of it.

Departs from the paper:
    Algorithm 1 has one class a round. Of several the paper tells without momenta; here what is done
    for one is done for each, and the server steps along their mean. It prints m = beta g +
    (1 - beta) m with beta = 0.9, nearly without memory; here beta is on the old value, as in the
    works that it cites (``literal_momentum``: as printed). It leaves open what an average of
    available momenta divides by: here their number (``count_all``: all classes); where weight decay
    acts: here at the server; and what becomes of a class that nobody has: here its old aggregate
    stands in; where nobody answers at all, everything stays, the buffers too. A single row is its
    own aggregate. Where too few answer for the rule, its f is lowered, or the mean is taken. A rule
    has no memory, centered clipping neither. Gradients are taken in evaluation mode, and running
    statistics stay. A relabelled sample counts for its true class. A message is as long for a
    client that has few of the round's classes.

Gradients of several classes are taken one by one, not in one pass over all classes or over all
pairs of clients and classes: on the paper's network even a single gradient of all samples together,
which no such pass can beat, takes but 1 to 8 % less time (``tests/benchmarks/README.md``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, gcd
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.learner.training import Training
from p2pfl.rules import AnyRule, Mean
from p2pfl.rules.sums import weighted_sum
from p2pfl.strategies.base import ServerStrategy, averaged
from p2pfl.strategies.class_gradients import Averaging, Group, by_class, stepped
from p2pfl.strategies.descent import aggregated, among_the_rest, check_settings, heavier, moved
from p2pfl.strategies.types import Assignment, Gathering, says
from p2pfl.types import Kind, Merge, Vector

_MEAN = Mean()


class Past(NamedTuple):
    """What the server remembers."""

    buffers: Mapping[int, Float[Tensor, " p"]]
    """The last aggregate of each class that was seen, less for each round since."""
    momentum: Float[Tensor, " p"] | None
    """Its own, with ``at: server``; None stands for 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desgd(ServerStrategy):
    """Aggregate momenta class by class, classes in turn: ``{kind: desgd, rule: {...}}``.

    Benign clients with unlike data differ less on one class than on all they have. The rule's f
    must hold among the holders of each class, and few clients may have one: adversaries that claim
    every class are then many. A client takes a mini-batch of ``training.batch_size`` from each of
    its classes; the other settings of ``training`` do not act.
    """

    rule: AnyRule = _MEAN
    """Aggregates the vectors of those that have a class, for each of the round's classes."""
    classes_per_round: int = 1
    """K, how many classes in turn are asked for, >= 1; all where there are fewer. A message is
    that many vectors long."""
    server_lr: float = 0.1
    """Learning rate, finite and > 0."""
    momentum: float = 0.9
    """beta in [0, 1): of the momenta, and what the buffers keep in a round."""
    at: Literal["clients", "server"] = "clients"
    """clients: each sends m <- beta m + (1 - beta) g of a class; server: they send g, and it steps
    along v <- beta v + its step, which is 1 / (1 - beta) times as long."""
    compensation: float = 0.5
    """gamma in [0, 1]: weight of the mean over the classes' buffers; 0: none."""
    weight_decay: float = 5e-4
    """Factor of the L2 penalty's gradient, at the server, finite and >= 0."""
    literal_momentum: bool = False
    """Whether clients average as printed, with beta on the new gradient."""
    count_all: bool = False
    """Whether the mean over the buffers counts classes not seen yet, as zeros."""
    split_batch: bool = False
    """Whether ``training.batch_size`` is divided among a client's classes, rounded up."""
    kind: Literal["desgd"] = "desgd"

    def __post_init__(self) -> None:
        check_settings(self.server_lr, self.momentum, self.weight_decay)
        if self.classes_per_round < 1:
            raise ValueError(f"classes_per_round must be >= 1, got {self.classes_per_round}")
        if not 0 <= self.compensation <= 1:
            raise ValueError(f"compensation must be in [0, 1], got {self.compensation}")

    @property
    def up(self) -> int:
        """One for each of the round's classes."""
        return self.classes_per_round

    @property
    def sends(self) -> Kind:
        """Momenta of classes."""
        return "class_gradient"

    def needs(self, n: int) -> str | None:
        """As the rule says for all that answered; a merge says so of those that have a class."""
        return self.rule.needs(n)

    def answers(self, given: Assignment) -> list[bool]:
        """Of each of the round's classes, whether it has samples. An adversary always says so."""
        asked = self._asked(given.round, given.data.classes)
        own = set(given.true_labels.tolist())
        return [c is not None and (given.hostile or c in own) for c in asked]

    def train(
        self, given: Assignment, memory: Mapping[int, Group] | None
    ) -> tuple[Vector, Mapping[int, Group]]:
        """The momentum of each of the round's classes; zeros, which do not count, without samples.

        Momenta of all its classes take in a gradient of this round; without momenta at clients only
        those that are asked for are computed. Memory: one vector a class. Cost: see
        ``client_effort``.
        """
        own = by_class(given.true_labels)
        asked = self._asked(given.round, given.data.classes)
        groups = {c: own[c] for c in self._computed(own, asked)}
        batch = self._batch(given.settings, len(own))
        after = stepped(given, groups, batch, self._averaging, memory or {})
        nothing = torch.zeros_like(given.model)
        return torch.cat([after[c].momentum if c in after else nothing for c in asked]), after

    def client_effort(
        self, round_: int, hostile: bool, settings: Training, held: Sequence[int]
    ) -> float:
        """A mini-batch of each class that it computes: of all its classes, as a rule."""
        own = [c for c, count in enumerate(held) if count]
        computed = self._computed(own, self._asked(round_, len(held)))
        batch = self._batch(settings, len(own))
        return sum(min(batch, held[c]) for c in computed)

    def init(self, model: Vector) -> Past:
        """No class was seen."""
        return Past({}, None)

    def aggregate(self, view: Gathering, state: Past) -> tuple[Merge, Past]:
        """To x - server_lr * ((1 - gamma) mean of Agg(m) + gamma * mean of buffers + decay * x).

        The first mean is over the round's classes. The buffers are those before this round; then
        all decay by beta, but those of the round's classes, which become Agg(m). Where nobody
        answered at all everything stays. What says nothing does not count, nor does a late row,
        which is of other classes, unless it is late by whole turns. A malformed row lowers the
        rule's f by one. Influence is (1 - gamma) times the share in Agg(m), averaged over the
        classes.
        Notes, of one class or the least of several: ``class``; ``holders``, the rows that count;
        ``guaranteed``, 1 where they suffice for the rule's guarantee; and ``fitted``, 1 where for
        any class they were too few for the rule as it was set.

        Cost:
            The rule's for each class, and O(C p). The state holds one vector a class.
        """
        if not view.senders:
            return averaged(view, []), state
        p, classes = view.functional.layout.p, view.inputs.classes
        asked = [c for c in self._asked(view.round, classes) if c is not None]
        rule = among_the_rest(self.rule, len(view.rejected))
        influence = view.model.new_zeros(len(view.senders))
        directions, fresh, counts, fits = [], {}, [], False
        for part, c in enumerate(asked):
            holders = self._holders(view, part)
            counts.append(len(holders))
            if not holders:
                directions.append(state.buffers.get(c, view.model.new_zeros(p)))
                continue
            start = part * len(view.model)
            rows = view.received[holders, start : start + p]
            fresh[c], shares, fitted = aggregated(rule, rows)
            influence[holders] += (1 - self.compensation) / len(asked) * shares
            directions.append(fresh[c])
            fits |= fitted
        past = [state.buffers[c] for c in sorted(state.buffers)]
        count = classes if self.count_all else max(1, len(past))
        weights = [(1 - self.compensation) / len(asked)] * len(asked)
        step = weighted_sum([*directions, *past], weights + [self.compensation / count] * len(past))
        momentum = None
        if self.at == "server":
            momentum = step = heavier(state.momentum, step, self.momentum)
        kept = {c: self.momentum * vector for c, vector in state.buffers.items()}
        missing = [(c, rule.needs(n)) for c, n in zip(asked, counts, strict=True)]
        unsure = [f"class {c}: {reason}" for c, reason in missing if reason is not None]
        merge = Merge(
            model=moved(view.model, step, self.server_lr, self.weight_decay),
            influence=influence,
            unguaranteed=unsure[0] if unsure else None,
            notes={
                "class": float(min(asked)),
                "holders": float(min(counts)),
                "fitted": float(fits),
                "guaranteed": float(not unsure),
            },
        )
        return merge, Past({**kept, **fresh}, momentum)

    @property
    def _averaging(self) -> Averaging:
        """What a client makes of its gradients."""
        if self.at == "server":
            return Averaging.of(0.0)
        return Averaging.of(self.momentum, self.literal_momentum)

    def _computed(self, own: Iterable[int], asked: Sequence[int | None]) -> list[int]:
        """The classes of a client that it takes gradients of: all, where its momenta have a past.

        Otherwise those that are asked for: nothing is ever made of the others.
        """
        return [c for c in own if self._averaging.old or c in asked]

    def _batch(self, settings: Training, classes: int) -> int:
        """Samples of each gradient, at a client of so many classes."""
        return ceil(settings.batch_size / classes) if self.split_batch else settings.batch_size

    def _asked(self, round_: int, classes: int) -> list[int | None]:
        """The class of each vector of a message; None behind all classes."""
        some = classes_of(round_, self.classes_per_round, classes)
        return [*some, *[None] * (self.classes_per_round - len(some))]

    def _holders(self, view: Gathering, part: int) -> list[int]:
        """The rows that count for one of the round's classes."""
        classes = view.inputs.classes
        turn = classes // gcd(classes, self.classes_per_round)
        answers = zip(view.samples, view.meta, view.staleness, strict=True)
        return [
            k
            for k, (samples, meta, late) in enumerate(answers)
            if late % turn == 0 and says(samples, meta, part, self.up)
        ]


def classes_of(round_: int, k: int, classes: int) -> list[int]:
    """The k classes of a round, in turn: 0 to k - 1 in round 1; all, where there are fewer.

    Both sides know them, so they need not be sent.
    """
    first = (round_ - 1) * k
    return [(first + place) % classes for place in range(min(k, classes))]
