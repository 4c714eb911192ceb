"""GPD: record what came from each neighbour; if one proves hostile, take all of it back at once.

Source
    B. Li, X. Miao, Y. Zhang, J. Yin. "Gradient Purification: Defense Against Data Poisoning Attack
    in Decentralized Federated Learning." Frontiers of Computer Science 20(9), 2026.
    arXiv:2501.04453.

What is stated and what is our reading:
    The text of the paper was not at hand, only the abstracts of its versions and a slide. They
    state: one recording variable for each neighbour, which accumulates the gradients that were
    aggregated from it; it serves detection, in one version called a check of historical
    consistency, and mitigation; mitigation removes all gradients of a hostile neighbour at once,
    and from the gradients, not from the model, whose useful part stays; training goes on with
    purified gradients, those of the benign.
    All else is our reading: what is exchanged, the formulas below, the weights, the detectors with
    every number in them (``gpd_detectors.py``), the schedule, the guard, notices and readmission.

The form built here, for peer i with model w_i, start w_0 and local step g_i (in units of weights):
    H_ij = w_0 - w_j                         the recording variable: all gradients that came from j
    R_ij = a_ij (H_ij - H_ii)                the inflow from j now inside the aggregated gradient
    y_i  = g_i + sum over live j of R_ij     the aggregated gradient; w_i <- w_i - y_i
    This is D-PSGD (Lian et al. 2017, combine then adapt), written with gradients. Where an edge
    dies, R_ij leaves y_i whole, and nothing of j is left in later steps: the sum of y over benign
    peers is that of g again, up to the rounding of float32 models. Where a benign peer is excluded
    that holds from the round on in which it hears of it.

Whether a neighbour mixes, it shows itself: one that does comes nearer in each round by a_ij of the
    way w_i - w_j between the two models. Its answer is how far its steps go along that way, summed
    over the rounds, over how far they would if it did nothing else. It is about 0 for who sends
    what it learned alone, above 1 for the benign, as others pull the same way. But where unlike
    data draw peers apart, more than noise does, drift and mixing balance, and the benign do not
    answer either. What they do is to take back most of each step when they mix, so that of two
    gradients in a row the second opposes the first; who goes its own way persists. So deaf is who
    does not answer and persists more than the peer itself, or is many local steps away. None of
    this is asked of late messages, of peers that go their own pace, nor where no models are mixed.

Who is excluded may appeal: a benign peer next to hostile ones is drawn with them, and looks as
    they do to its other neighbours. But it excludes them at the same check, as its notices say to
    all. So who sends notices is taken back, once, and judged again by a window as short as the
    first, or by what is left of the present one. On unlike data (Dirichlet 0.3, seeds 13 to 15)
    ALIE has every second benign edge cut at the first check, on three rings and a graph each of
    degree 4 and 8; after the appeals it is none, but for 18 % on one ring, and all hostile ones are
    out. Who lies in its notices gains one window.

A message that is no model, or that brings a monstrous gradient (``guard``), excludes its sender at
    once; the windows of the others go on.

Where peers go their own pace (``gossip``, ``pairwise``; our reading as well):
    Rounds of two peers cannot be compared, and what a message claims of its round is not looked at.
    A round is one of the peer's own merges: windows, pauses and the memory count these. A message
    is of the merge that it comes to: H_ij - H_ii is the difference to the own model at that time,
    and what came of j since it was last heard is spread over the own merges in between. A neighbour
    that is not heard in a merge does not flow in it: that it is silent is no loss there. Under
    pairwise a_ij is 1/2, g_i comes on top of the mix later, and the guard compares with the longest
    own gradient that is remembered, as there may have been none between two merges.
    ``mitigation: freeze`` goes on with the last inflow in every merge, whoever else it is with.

    Seen on digits (one seed, ten peers of degree 6, three hostile that mix well, one local step a
    round; the last verdict on each of 12 hostile and 30 benign edges; "uneven" is a spread of 0.4
    in speed, which the lock-step of rounds hides): under rounds, 11 of 12 who flip labels and all
    who flip signs or send noise, nobody benign. Under gossip to all neighbours the same, 12 of 12;
    uneven 3, 11 and 8, and in the last case 8 of 30 benign, since the models blow up before the
    first check. Where a neighbour is heard in one merge of n, windows have to be n times as long:
    with those of the defaults 7 (pairwise) or 16 (a fanout of 2) of the 30 benign ones are flagged
    without any attack. With ``first_window: 60, pause: 60, window: 240`` under pairwise, 120
    rounds: all 12 who flip signs (uneven 7, and 2 of 30 benign), none of those who flip labels,
    nobody benign, and nobody without attack. With 30, 30, 120 and a fanout of 2: 2 of 12 who flip
    signs, 9 of 12 who flip labels and 3 of 30 benign, 4 of 30 without attack. So it holds under
    gossip among peers of like speed, and for strong attacks under pairwise; not where models drift
    apart as peers seldom hear one another.

Limits:
    Who trains on poisoned data and mixes as it should is seen by its pull alone, and only where
    benign data are like; who sends a step or so in the wrong direction is not seen at all. Who
    knows of the answer and will not mix passes with fresh noise of half its distance in each
    message, or, near by, with noise that turns its gradients round. A peer whose own messages never
    arrive takes its neighbours for deaf.
    ``wire: own_gradient`` would show gradients; but without a mix of models peers drift apart (on
    iid MNIST 35 % accuracy after 60 rounds, with models 77 %), and on unlike data the benign look
    as hostile.
    A step is added behind the mix, so a peer's model holds its last mini-batch unmixed. While that
    is most of its error, D-PSGD is no better than training alone, even with nobody hostile:
    Fashion-MNIST, cnn, iid, 200 rounds of one mini-batch: 66.3 % among benign peers, 66.2 alone,
    70.1 by gossip averaging. To train at the mix and send the result was tried: 69.7 where D-PSGD
    has 66.4 (seed 13, label flips), but on unlike data the benign are then flagged: at Dirichlet
    0.3, 81 % of them (1 % under D-PSGD), so that 36.5 are left of 53.2.
    What blows the models up before the first check leaves benign peers that exclude one another.
    The numbers were fitted where a round is a mini-batch of 32 and a peer has about eight
    neighbours; they held for a whole epoch and for four. With full batches the benign differ by
    more than noise, and are flagged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import ClassVar, Literal

from p2pfl.defenses.base import PeerDefense
from p2pfl.defenses.gpd_detectors import Consistency, Cosine, Detector, Nobody
from p2pfl.defenses.gpd_flows import Mitigation
from p2pfl.defenses.gpd_state import GpdState
from p2pfl.defenses.gpd_step import EXCLUDES, Step
from p2pfl.defenses.gpd_wires import Wire, written
from p2pfl.defenses.sketch import sketch
from p2pfl.types import Artifact, InputSpec, Kind, Merge, Neighbourhood, Update, Vector
from p2pfl.vectors import FunctionalModel

_CONSISTENCY, _COSINE = Consistency(), Cosine()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpd(PeerDefense):
    """Mix with those whose record agrees with the own: ``{kind: gpd}``.

    Meant for one or few local steps a round: peers send their model before training, and all must
    start alike. It needs no bound on the adversaries and no majority, as each peer's measure is
    its own record; benign peers must stay connected among themselves.
    """

    encodes: ClassVar[bool] = True

    wire: Wire = "model"
    """What travels. model: where the sender is; cumulative: how far it came from the common start;
    gradient: how far since its last message, so that a lost one is missed for ever; own_gradient:
    what its own data asked for in this round, which peers average without mixing models."""
    detector: Detector | None = None
    """Who is suspect, by kind: consistency, cosine, safeguard, oracle, or none, which makes it
    D-PSGD. Null: consistency, but cosine with own gradients, which are not alike."""
    mitigation: Mitigation = "purify"
    """purify: the inflow of the excluded leaves the aggregated gradient, the model stays; freeze:
    that of the round in which they are excluded goes on; rollback: all their inflow is also taken
    out of the model."""
    readmit: Literal["off", "mix", "anew"] = "mix"
    """off: who is excluded stays out, as the paper reads; mix: who looks benign at two checks in a
    row is back as before; anew: back with an inflow of 0, from which differences count."""
    readmissions: int = 2
    """The most of them on one edge, >= 0."""
    appeals: int = 1
    """How often a neighbour that excludes others itself is taken back soon after it was excluded,
    >= 0: who has hostile neighbours looks hostile until they are out. Nobody with readmit: off."""
    gain: float = 1.0
    """Factor on the mixing weights, in (0, 1]. Take 0.5 where messages are a round or more late,
    and where a round is many local steps: with a whole epoch, 1.0 learns far less."""
    first_window: int = 10
    """Rounds before the first check, >= 1. Of peers that go their own pace, own merges."""
    pause: int = 10
    """Rounds between a check and the next window, in which disturbances die out, >= 0."""
    window: int = 40
    """Rounds of each later window, >= 1."""
    guard: float = 50.0
    """A gradient longer than so many times the own is suspect at once, > 0."""
    sketch: int = 1021
    """Numbers to which detection shortens a vector, >= 1; a prime. Shorter ones are kept exact."""
    memory: int = 20
    """Rounds for which the last difference to a silent neighbour still flows, and in which a late
    message is of use, >= 1. With 1 no neighbour's model is kept from round to round."""
    kind: Literal["gpd"] = "gpd"

    def __post_init__(self) -> None:
        for name, count, least in (
            ("readmissions", self.readmissions, 0),
            ("appeals", self.appeals, 0),
            ("first_window", self.first_window, 1),
            ("pause", self.pause, 0),
            ("window", self.window, 1),
            ("sketch", self.sketch, 1),
            ("memory", self.memory, 1),
        ):
            if count < least:
                raise ValueError(f"{name} must be >= {least}, got {count}")
        if not 0 < self.gain <= 1:
            raise ValueError(f"gain is a factor in (0, 1], got {self.gain}")
        if not (isfinite(self.guard) and self.guard > 0):
            raise ValueError(f"guard must be finite and > 0, got {self.guard}")

    @property
    def judge(self) -> Detector:
        """The detector."""
        if self.detector is not None:
            return self.detector
        return _COSINE if self.wire == "own_gradient" else _CONSISTENCY

    @property
    def sends(self) -> Kind:
        """Models, or gradients of one kind or another."""
        return "model" if self.wire == "model" else "gradient"

    @property
    def early(self) -> bool:
        """Before training, but for the gradient that training gives."""
        return self.wire != "own_gradient"

    @property
    def prepares(self) -> bool:
        """A message is sketched once for all its receivers."""
        return self.judge.judges

    def encode(self, model: Vector, start: Vector, previous: Vector, initial: Vector) -> Vector:
        """In the form of the wire."""
        return written(self.wire, model, start, previous, initial)

    def attach(self, state: GpdState | None) -> Mapping[str, float]:
        """A notice for each neighbour that is excluded, again and again: one may get lost."""
        if state is None:
            return {}
        edges = state.record.edges.items()
        return {EXCLUDES.format(sender): 1.0 for sender, edge in edges if edge.excluded}

    def trusting(self) -> "Gpd":
        """The same without a detector: D-PSGD."""
        return replace(self, detector=Nobody())

    def prepare(
        self, updates: Sequence[Update], model: FunctionalModel, inputs: InputSpec
    ) -> list[Artifact]:
        """The sketch of each message's parameters."""
        p = model.layout.p
        return [{"sketch": sketch(update.vector[:p], self.sketch)} for update in updates]

    def init(self, d: int) -> GpdState | None:
        """None until the first merge, whose start is where all began."""
        return None

    def merge(self, view: Neighbourhood, state: GpdState | None) -> tuple[Merge, GpdState]:
        """Take the local step and the inflow of the neighbours whose edges are live.

        Flagged are all that are excluded now. Influence is the weight of a live edge. Running
        statistics are averaged by the same weights.

        Details, per row: ``recorded`` |H_ij|, whether the edge is ``live``, its ``inflow`` |R_ij|,
        of which ``readmit: anew`` uses the part that has come since;
        in rounds with a check also what it looked at, ``chi``, ``ratio``, ``cosine``, ``pull`` and
        ``answer``, not a number for whom too little is known of. Norms are those of sketches.
        Notes: how many edges are ``live``, ``excluded`` here or ``told`` to be, and whether there
        was a ``check``.

        Cost:
            Time O(m p) for the mix and O(m s) for the record. The state holds the messages of the
            last round, an own model for each round that a neighbour is silent, and 3 m sketches.
        """
        state = GpdState.begun(self, view) if state is None else state
        return Step(self, view, state).merged()
