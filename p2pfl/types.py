"""The shared vocabulary: what peers, rules, defenses and attacks hand to one another.

No behaviour lives here. ``Vector`` and ``Matrix`` are torch float32 tensors on the actor's device;
numpy exists only on the wire. ``d`` counts the floats that a peer sends: all parameters, then the
floating-point buffers (running statistics); ``p2pfl.vectors.Layout`` says which is where.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from p2pfl.vectors import FunctionalModel, Layout

if TYPE_CHECKING:
    from p2pfl.learner.training import Training

Vector: TypeAlias = Float[Tensor, " d"]
Matrix: TypeAlias = Float[Tensor, "n d"]
Float32Array: TypeAlias = npt.NDArray[np.float32]
Kind: TypeAlias = Literal["model", "gradient", "class_gradient"]

Permutation: TypeAlias = Literal["bit", "tolerance", "ties"]
"""What a rule gives for shuffled rows: the same bits; the same up to rounding; or, where it scores
rows, the same up to rounding as long as no two scores are equal."""

Knowledge: TypeAlias = Literal["local", "neighbourhood", "colluding", "full"]
"""What an attack may look at when it crafts, besides its own model and data.

``local``: nothing. ``neighbourhood``: what its neighbours sent to it in this round. ``colluding``:
what the other members of its coalition trained in this round. ``full``: besides, what every benign
peer trained in this round. Nobody is shown what another coalition trained: whom an attack sees and
does not know for a member is benign, but for what a hostile neighbour sent to it. Plain strings, so
that a variant can leave the choice to the scenario.
"""


Pace: TypeAlias = Literal["rounds", "gossip", "pairwise"]
"""How peers go on, by protocol. ``rounds``: together. ``gossip``: each its own pace, merging once a
round. ``pairwise``: each its own pace, merging with one neighbour at a time, while it trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What travels from one peer to another. A receiver trusts no field of it."""

    vector: Float32Array
    """Shape (d,), float32."""
    kind: Kind
    round: int
    """The sender's count of rounds, as claimed."""
    samples: int
    """Training samples behind it, as claimed."""
    meta: Mapping[str, float] = field(default_factory=dict)
    """Numbers beside it: ``local_epochs``, ``batch_size``, and what the method adds."""
    companion: Float32Array | None = None
    """(d,) a second vector, for methods that ask for it: the model that the training began at."""


Artifact: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""What a defense makes of one message alone; arrays by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What the model's inputs look like."""

    shape: tuple[int, ...]
    """Of one input."""
    classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Labelled inputs of one peer, on its device."""

    inputs: Float[Tensor, "n ..."]
    labels: Int64[Tensor, " n"]
    classes: int
    """Number of classes of the data set, not of these samples."""


Logits: TypeAlias = Callable[[Float[Tensor, "n ..."]], Float[Tensor, "n classes"]]
"""What a model makes of inputs, in evaluation mode, before the softmax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdoor:
    """What a targeted attack wants: these inputs classified as these labels."""

    inputs: Float[Tensor, "n ..."]
    """With the trigger, or of the rare kind that the attack aims at."""
    labels: Int64[Tensor, " n"]
    """The target class of each."""
    of_target: Bool[Tensor, " n"]
    """Which inputs truly are of the target class: they count in ``asr`` and not in
    ``asr_excluding_target``."""
    groups: Mapping[int, int] = field(default_factory=dict)
    """How many of the inputs each group of adversaries brought, by its number and in the inputs'
    order; empty where that does not matter."""


class Steer(Protocol):
    """How an adversary bends its local training, step by step, in place on (p,) tensors."""

    def gradient(self, weights: Vector, gradient: Vector) -> None:
        """Before a step: change the gradient, such as by a penalty's or by a mask."""
        ...

    def weights(self, weights: Vector) -> None:
        """After a step: change the weights, such as by a projection."""
        ...


class Guide(Protocol):
    """A second loss on each batch of a local training, whose gradient has a say in the step."""

    def loss(
        self, inputs: Float[Tensor, "b ..."], logits: Float[Tensor, "b classes"]
    ) -> Float[Tensor, ""]:
        """Of what the model in training makes of these inputs, ``logits``."""
        ...

    def gradient(self, gradient: Vector, second: Vector) -> None:
        """Change the task's gradient (p,) in place, given the second loss's."""
        ...


class Retrain(Protocol):
    """Trains on the adversary's own (poisoned) data, as in its round of local training."""

    def __call__(self, start: Vector, steer: Steer | None = None) -> Vector:
        """(d,) to (d,), from any start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """All that one benign peer may use to build its next model.

    Row k of ``received`` came from ``senders[k]``; rows are ascending by sender and were checked:
    finite, of the right length and kind. There may be none (m = 0).
    """

    me: int
    """This peer's id."""
    round: int
    """This peer's count of rounds, from 1."""
    own: Vector
    """(d,) after this round's local training."""
    start: Vector
    """(d,) before it."""
    received: Matrix
    """(m, d)."""
    senders: tuple[int, ...]
    staleness: tuple[int, ...]
    """This peer's round less the one that each row's message claims; 0 is current. Where peers go
    their own pace it is negative for a sender that is ahead, and says nothing of time."""
    mixing: tuple[float, ...]
    """Metropolis-Hastings weight of each received row. What is missing to 1 is the peer's own."""
    samples: tuple[int, ...]
    """Training samples behind each row, as claimed by its sender."""
    own_samples: int
    """Training samples of this peer itself, >= 1."""
    meta: Sequence[Mapping[str, float]]
    """What each sender says beside its row."""
    model: FunctionalModel
    inputs: InputSpec
    loss: Callable[[Vector], float]
    """Mean loss of a vector on this peer's own training data."""
    companions: Matrix | None = None
    """(m, d) what came beside each row; None unless the defense asks for it."""
    prepared: Sequence[Artifact] = ()
    """What ``prepare`` made of each row's message; empty unless the defense asks for it."""
    own_meta: Mapping[str, float] = field(default_factory=dict)
    """What this peer itself says beside its messages."""
    own_prepared: Artifact = field(default_factory=dict)
    """The same of this peer's own message of the round."""
    rejected: tuple[int, ...] = ()
    """Who sent nothing but what failed a check: they have no row."""
    merge: int | None = None
    """Which of this peer's merges it is, from 1, where peers go their own pace: then rounds of two
    peers cannot be compared, and one round may have several merges or none. Else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a defense decided."""

    model: Vector
    """(d,) the peer's next model."""
    influence: Vector
    """(m,) share of each received row in ``model``; 0 is rejected. In [0, 1], with the peer's own
    share it sums to 1."""
    flagged: tuple[int, ...] | None = None
    """Senders judged adversarial now; None if the method does not judge."""
    muted: tuple[int, ...] = ()
    """Neighbours to which this peer sends nothing from its next send on."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """Scalars for the record."""
    details: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """For the record, by name: one number per received row, such as its distance or trust score."""
    unguaranteed: str | None = None
    """What the guarantee misses in this merge, where ``needs`` of all rows cannot know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversaryView:
    """What one adversary sees when it is about to send."""

    me: int
    """Its own id, one of ``members``."""
    own: Vector
    """(d,) after its own local training, on its own (perhaps poisoned) data."""
    start: Vector
    """(d,) before it."""
    round: int
    targets: tuple[int, ...]
    """The k neighbours it is about to send to, ascending."""
    members: tuple[int, ...]
    """Its coalition, itself included, ascending."""
    visible: Matrix
    """(v, d) trained models of this round that its knowledge admits; its own row is among them.
    Where peers go their own pace: the newest of each."""
    visible_ids: tuple[int, ...]
    """Whose they are, ascending."""
    layout: Layout
    """Which part of a vector is which tensor."""
    retrain: Retrain
    """For attacks that train once they have seen the others' models."""


S = TypeVar("S")


class Rule(Protocol):
    """(n, d) to (d,): pure, no state. A frozen dataclass whose fields are the hyper-parameters.

    Each rule also states what it promises, and the conformance tests hold it to exactly that.
    """

    permutation: ClassVar[Permutation]

    def __call__(self, rows: Matrix) -> Vector:
        """Aggregate. Raises TooFewNeighbours where ``computable`` names a reason."""
        ...

    def traced(self, rows: Matrix) -> tuple[Vector, Float[Tensor, " n"]]:
        """The aggregate, and the share of each row in it (non-negative, sum 1)."""
        ...

    def computable(self, n: int) -> str | None:
        """None if n rows suffice to compute it, else what is missing, as a sentence."""
        ...

    def needs(self, n: int) -> str | None:
        """None if its guarantee holds for n rows, else what is missing, as a sentence."""
        ...

    def bears(self, n: int) -> int:
        """How many non-finite rows among n leave the result finite."""
        ...

    def kappa(self, n: int, f: int) -> float | None:
        """The constant c in |out - mean(S)|^2 <= c * mean over S of |x_i - mean(S)|^2, for every
        set S of n - f of the n rows; None where none is known, among others where the rule assumes
        fewer than f adversarial rows or ``needs`` fails."""
        ...


class Defense(Protocol[S]):
    """What one benign peer does with its neighbours' models. State is explicit, never in self.

    Derive from :class:`p2pfl.defenses.base.PeerDefense`, which has all but ``init`` and ``merge``.
    """

    mutes: ClassVar[bool]
    """Whether ``Merge.muted`` is ever set. Then a merge must be over before the next send."""
    encodes: ClassVar[bool]
    """Whether ``encode`` or ``attach`` changes anything."""

    @property
    def sends(self) -> Kind:
        """What travels."""
        ...

    @property
    def companion(self) -> bool:
        """Whether each message carries the sender's starting model. It counts in the bytes."""
        ...

    @property
    def prepares(self) -> bool:
        """Whether ``prepare`` is to be called."""
        ...

    @property
    def early(self) -> bool:
        """Whether peers send before they train, while they train (combine, then adapt)."""
        ...

    def init(self, d: int) -> S:
        """The state before the first merge, for vectors of length d."""
        ...

    def encode(self, model: Vector, start: Vector, previous: Vector, initial: Vector) -> Vector:
        """What travels for a model that a peer wants to send.

        Args:
            model: (d,) after local training; before it, if ``early``. An adversary's is crafted.
            start: (d,) before this round's local training.
            previous: (d,) what its last message to this target stood for; at first ``initial``.
            initial: (d,) the model that all peers started from.
        """
        ...

    def attach(self, state: S) -> Mapping[str, float]:
        """What the next message says in its ``meta`` beside the usual."""
        ...

    def trusting(self) -> "Defense[Any] | None":
        """How an adversary merges that follows the benign peers; None: by gossip averaging."""
        ...

    def prepare(
        self, updates: Sequence[Update], model: FunctionalModel, inputs: InputSpec
    ) -> Sequence[Artifact]:
        """What can be made of messages that were checked, each by itself: one for each.

        Pure: a message that several peers receive is prepared once, and all of them get the same.
        """
        ...

    def effort(self, messages: int, own_samples: int, inputs: InputSpec) -> float:
        """What a merge costs, in passes of one training sample: charged in virtual time."""
        ...

    def merge(self, view: Neighbourhood, state: S) -> tuple[Merge, S]:
        """Build the next model. Raises TooFewNeighbours where it cannot be computed."""
        ...


class Attack(Protocol[S]):
    """What an adversary does to its data and to what it sends."""

    @property
    def knowledge(self) -> Knowledge:
        """What it is shown: fixed for a class (a ClassVar), or a field that a scenario sets."""
        ...

    equivocates: ClassVar[bool]
    """Whether rows of ``craft`` may differ. Otherwise one row travels as one reference."""
    retrains: ClassVar[bool]
    """Whether ``craft`` trains once more, and so takes as long as training in virtual time."""

    @property
    def ignores_own(self) -> bool:
        """Whether ``craft`` never looks at what the adversary trained, so that as a server's client
        it need not train. Fixed for a class, or by its fields."""
        ...

    def poison(self, data: Samples, rng: np.random.Generator) -> Samples:
        """The data it trains on; the identity by default. Called once, before the first round."""
        ...

    def shared_samples(self) -> int | None:
        """How many training samples its coalition has in common instead of each its own; None, the
        default: none. All members then call ``poison`` with the same data and the same draws."""
        ...

    def poison_round(self, data: Samples, logits: Logits) -> Samples:
        """The data of one round of the attack, made of what ``poison`` gave; the same by default.

        ``logits`` is the model at which its training of this round starts.
        """
        ...

    def init(self, d: int) -> S:
        """The state before the first message, for vectors of length d."""
        ...

    def loaded(self, folder: Path | None) -> "Attack[S]":
        """The attack with the files that it needs from the data folder; itself by default.

        Called once, before it is given to the adversaries. Raises DataError where they are missing.
        """
        ...

    def as_member(self, index: int) -> "Attack[S]":
        """The attack as one adversary does it; itself by default.

        ``index`` is its place among the members of its coalition, from 0, by ascending id.
        """
        ...

    def settings(self, benign: "Training") -> "Training":
        """How it trains, given how benign peers do; alike by default."""
        ...

    def steer(self, start: Vector, round_: int) -> Steer | None:
        """How it bends its training of this round, from (d,) ``start``; None by default."""
        ...

    def backdoor(self, test: Samples) -> Backdoor | None:
        """On what its success is measured, made of the test set; None for an untargeted attack."""
        ...

    def craft(self, view: AdversaryView, state: S, rng: np.random.Generator) -> tuple[Matrix, S]:
        """(k, d): one row per target. ``rng`` is the same for all members in one round."""
        ...
