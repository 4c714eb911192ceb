"""What a scenario file may say: its sections, with every default."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from actors.budget import Budget
from actors.compute import Compute
from actors.protocols import AnyProtocol
from actors.protocols.pairwise import Pairwise
from actors.protocols.rounds import Rounds
from actors.resources import Runtime
from graphs.availability import Availability
from graphs.events import NetworkEvent
from graphs.network import Network
from graphs.placement import Placement, Random
from graphs.topologies import Topology
from p2pfl.attacks import NoAttack
from p2pfl.data import DATASETS
from p2pfl.data.partitions import Partition
from p2pfl.data.splits import Iid
from p2pfl.defenses import GossipAverage
from p2pfl.defenses.shortfall import OnShortfall
from p2pfl.learner.conduct import Conduct
from p2pfl.learner.training import Training
from p2pfl.models import Model
from p2pfl.strategies import FedAvg
from p2pfl.strategies.types import Strategy
from p2pfl.types import Attack, Defense
from scenarios.seeds import AllSeeds, Seeds
from scenarios.shapes import OneOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What is learned, and which samples each peer has."""

    dataset: Annotated[str, OneOf(tuple(source.name for source in DATASETS))] = "digits"
    """Its name, as ``p2pfl list datasets`` has it."""
    partition: Partition = field(default_factory=Iid)
    """How the training samples are dealt to the peers."""
    train_samples: int | None = None
    """Take so many training samples, each class in proportion; null takes all."""
    test_samples: int | None = None
    """Take so many test samples, each class in proportion; null takes all."""
    adversary_data: Literal["own", "all_classes", "copies", "shared"] = "own"
    """What adversaries train on: their part; as many samples of all classes; copies of as many that
    benign peers have; one part for all."""
    withheld: int = 0
    """Give nobody so many training samples: those that a server that holds out as many would keep.
    ``compare`` sets it, so that all methods deal the same samples to the peers."""
    assign: Literal["random", "by_community", "by_distance", "adversary_side"] = "random"
    """Which part goes to which peer: at random, or by its place in the graph."""

    def __post_init__(self) -> None:
        for name, count in (
            ("train_samples", self.train_samples),
            ("test_samples", self.test_samples),
        ):
            if count is not None and count < 1:
                raise ValueError(f"{name} must be >= 1, or null for all, got {count}")
        if self.withheld < 0:
            raise ValueError(f"withheld must be >= 0 samples, got {self.withheld}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversaries:
    """Who is hostile: so many of the peers, chosen by the placement."""

    placement: Placement = field(default_factory=Random)
    """How they are chosen."""
    count: int | None = None
    """How many, where the placement leaves it open; a limit for dominate."""
    fraction: float | None = None
    """The same as a share of the peers, in [0, 1]; give one of the two."""
    absent: bool = False
    """Whether to leave them out, with their edges: what the benign peers would do without them."""
    conduct: Conduct = field(default_factory=Conduct)
    """When they attack, and what they do with what they receive; a group may have its own."""

    def __post_init__(self) -> None:
        if self.count is not None and self.fraction is not None:
            came = f"count: {self.count}, fraction: {self.fraction}"
            raise ValueError(f"give count or fraction, not both: got {came}")
        if self.count is not None and self.count < 0:
            raise ValueError(f"count must be >= 0, got {self.count}")
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise ValueError(f"fraction must be in [0, 1], got {self.fraction}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackGroup:
    """Some of the adversaries, a coalition of their own: ``{share: 0.5, attack: {kind: alie}}``.

    Give ``peers``, ``count`` or ``share``; the last group may leave them out and takes the rest.
    """

    attack: Attack[Any]
    """What they do."""
    peers: tuple[int, ...] | None = None
    """Who they are, by id; null: they are drawn."""
    count: int | None = None
    """How many they are, >= 1."""
    share: float | None = None
    """The same as a share of all adversaries, in (0, 1]: the nearest whole number, a half rounded
    down."""
    conduct: Conduct | None = None
    """When they attack, and what they do with what they receive; null: as ``adversaries.conduct``
    says. It replaces that as a whole."""

    def __post_init__(self) -> None:
        given = {"peers": self.peers, "count": self.count, "share": self.share}
        came = {name: value for name, value in given.items() if value is not None}
        if len(came) > 1:
            raise ValueError(f"give one of peers, count and share, got {', '.join(came)}")
        if self.peers is not None and not (
            self.peers and len(set(self.peers)) == len(self.peers) and min(self.peers) >= 0
        ):
            raise ValueError(f"peers must be ids >= 0, each once, got {list(self.peers)}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be >= 1, got {self.count}")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"share must be in (0, 1], got {self.share}")

    @property
    def takes_the_rest(self) -> bool:
        """Whether its size is left open."""
        return self.peers is None and self.count is None and self.share is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that all peers talk to instead of to one another: ``{strategy: {kind: fed_avg}}``.

    Its links are like any other's. The topology then says how many clients there are, and where
    adversaries and data are placed; its edges carry nothing.
    """

    strategy: Strategy[Any] = field(default_factory=FedAvg)
    """What the server does, and what it asks of its clients."""
    participants: int | None = None
    """How many clients take part in a round, drawn afresh for each; null: all."""
    held_out: int = 0
    """How many training samples the server keeps for itself, each class in proportion, for
    strategies that need some; no client has them."""

    def __post_init__(self) -> None:
        if self.participants is not None and self.participants < 1:
            raise ValueError(f"participants must be >= 1, or null for all, got {self.participants}")
        if self.held_out < 0:
            raise ValueError(f"held_out must be >= 0 samples, got {self.held_out}")
        if self.strategy.holds_out and not self.held_out:
            raise ValueError("this strategy needs samples of the server's own: give held_out >= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """When the peers' models are measured on the test set."""

    every: int | None = None
    """After each so many rounds, and after the last; 0: never. 1 unless ``every_s`` is given."""
    every_s: float | None = None
    """Instead: after the first round of a peer to end in each so many virtual seconds, and after
    the last. For peers that go their own pace; > 0."""
    samples: int | None = None
    """On how many test samples, each class in proportion, before the last round; null: all. After
    the last round on all in any case."""
    peers: int | None = None
    """How many benign peers are measured, >= 1: the same ones each time, drawn once; and then no
    adversary is. null: everybody. Of a thousand peers, 32 tell the mean accuracy to a sixth of the
    peers' standard deviation."""
    consensus: bool = False
    """Whether to measure how far the benign peers' models are apart, of those that are measured.
    Keeps a copy of each until the slowest peer is evaluated. A round that one of them missed has no
    such figure."""
    score: Literal["last", "best", "late"] = "last"
    """Which accuracy the tables of a sweep show: after the last round, the best of any round, or
    the mean over the late rounds; of late ones the ASR too. It moves no run."""
    late_rounds: int | None = None
    """The last so many rounds are late ones, >= 1; those count in which models are measured. null:
    the last sixth."""

    def __post_init__(self) -> None:
        if self.late_rounds is not None and self.late_rounds < 1:
            came = f"got {self.late_rounds}"
            raise ValueError(f"late_rounds must be >= 1, or null for the last sixth, {came}")
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples must be >= 1, or null for all, got {self.samples}")
        if self.peers is not None and self.peers < 1:
            raise ValueError(f"peers must be >= 1, or null for everybody, got {self.peers}")
        if self.every is not None and self.every_s is not None:
            came = f"every: {self.every}, every_s: {self.every_s}"
            raise ValueError(f"give every or every_s, not both: got {came}")
        if self.every is None and self.every_s is None:
            # Here and not as the field's default, or every every_s would need a null beside it.
            object.__setattr__(self, "every", 1)
        if self.every is not None and self.every < 0:
            raise ValueError(f"every counts rounds and must be >= 0, got {self.every}")
        if self.every_s is not None and not 1e-9 <= self.every_s <= 1e9:
            raise ValueError(f"every_s must be in [1e-9, 1e9] seconds, or null, got {self.every_s}")
        if self.every_s is not None and self.consensus:
            raise ValueError(
                "consensus is measured over all peers' models of one round, and with every_s they "
                "are not measured in the same rounds: give every"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What the run folder holds beyond the usual."""

    messages: bool = False
    """Whether each message gets a line of its own, in messages.jsonl."""
    dummies: tuple[int, ...] = ()
    """Benign peers of whose last model is kept what DFL-Dual's inversion sees of it, as numbers
    (``dummies_3.npz``) and, of images, as a picture beside real ones (``dummies_3.png``) and
    with how close they come to these (``dummies.csv``)."""
    models: tuple[int, ...] = ()
    """Peers whose last model is kept (``model_3.npz``: an array per tensor, by name). A server's
    number is that of its clients."""
    grad_cam: bool = False
    """Whether to draw what speaks for the answers of each kept model (``grad_cam_3.png``): on one
    test image of each class, with and without the attack's trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run, in full."""

    name: str
    """Letters, digits, and . _ - : run folders are named after it."""
    seed: int = 1
    """All that is drawn follows from it, but for what ``seeds`` sets."""
    seeds: Seeds = field(default_factory=Seeds)
    """Seeds of single parts, to draw these anew and leave the rest as it is."""
    rounds: int | None = None
    """How many rounds each peer does, >= 1; null: as many as there are in ``duration_s``."""
    duration_s: float | None = None
    """When the run ends, in virtual seconds, if its rounds do not end before; > 0. Each peer then
    keeps the model of the last round that it has finished. Null: its rounds alone say."""
    budget: Budget | None = None
    """What the run may use up: it ends with it, if its rounds do not end before. Null: its rounds
    alone."""
    data: Data = field(default_factory=Data)
    """What is learned, and who has which samples."""
    model: Model
    """What every peer trains. All start from the same values."""
    training: Training = field(default_factory=Training)
    """What a peer does with its own samples in a round."""
    topology: Topology
    """Who is connected with whom."""
    allow_disconnected: bool = False
    """Whether benign peers may be cut off from one another. Otherwise that is refused."""
    adversaries: Adversaries | None = None
    """Who is hostile; null: nobody."""
    attack: Attack[Any] | tuple[AttackGroup, ...] = field(default_factory=NoAttack)
    """What the adversaries do: one attack for all, or a list of groups, each with its own."""
    defense: Defense[Any] = field(default_factory=GossipAverage)
    """What each benign peer does with its neighbours' models. Unused where there is a server."""
    server: Server | None = None
    """A server in the middle; null: peers exchange models along the graph."""
    on_shortfall: OnShortfall = "keep_own"
    """What a peer does in a round whose messages are too few for its defense."""
    network: Network = field(default_factory=Network)
    """How slow and how lossy the links are."""
    availability: Availability = field(default_factory=Availability)
    """Which peers are there in which round, and at which time."""
    events: tuple[NetworkEvent, ...] = ()
    """What befalls the network and its peers, each at its time or round."""
    protocol: AnyProtocol = field(default_factory=Rounds)
    """Who waits for whom: all for all (rounds), or nobody (gossip, pairwise)."""
    compute: Compute = field(default_factory=Compute)
    """How fast the peers are, in virtual time."""
    runtime: Runtime = field(default_factory=Runtime)
    """Where and how the run is computed. It moves no result."""
    evaluate: Evaluate = field(default_factory=Evaluate)
    """When models are measured."""
    record: Recording = field(default_factory=Recording)
    """What is written."""

    def __post_init__(self) -> None:
        plain = self.name.replace("-", "").replace("_", "").replace(".", "")
        if not (plain.isascii() and plain.isalnum() and self.name[0] != "."):
            raise ValueError(f"name may have letters, digits and . _ - only, got {self.name!r}")
        if len(self.name) > 100:
            raise ValueError(f"name may have 100 characters at most, got {len(self.name)}")
        self._check_ends()
        if isinstance(self.attack, tuple):
            _check_groups(self.attack)
        for number, event in enumerate(self.events):
            if self.rounds and event.at_round is not None and event.at_round > self.rounds:
                raise ValueError(
                    f"events.{number} is at_round {event.at_round}, and the run has {self.rounds}"
                )
        open_end = self.budget is not None or self.duration_s is not None
        if self.record.dummies and (open_end or isinstance(self.protocol, Pairwise)):
            raise ValueError(
                "record has dummies, which are kept in the last round's merge; with a budget or "
                "duration_s nobody knows which round that is, and under pairwise which merge: "
                "leave out one of the two"
            )

    @property
    def all_seeds(self) -> AllSeeds:
        """The seed of each part of the run."""
        return self.seeds.over(self.seed)

    @property
    def limit(self) -> Budget | None:
        """What ends the run, if its rounds do not end before."""
        if self.duration_s is None:
            return self.budget
        most = None if self.budget is None else self.budget.bytes
        return Budget(bytes=most, virtual_s=self.duration_s)

    def _check_ends(self) -> None:
        if self.rounds is None and self.duration_s is None:
            raise ValueError("rounds, duration_s or both must be given, got neither")
        if self.rounds is not None and self.rounds < 1:
            raise ValueError(f"rounds must be >= 1, got {self.rounds}")
        if self.duration_s is None:
            return
        if not (isfinite(self.duration_s) and self.duration_s > 0):
            raise ValueError(f"duration_s must be finite and > 0, got {self.duration_s}")
        if self.budget is not None and self.budget.virtual_s is not None:
            raise ValueError("duration_s and budget.virtual_s say the same: give one of them")


def _check_groups(groups: tuple[AttackGroup, ...]) -> None:
    """What can be said before the adversaries are placed."""
    if not groups:
        raise ValueError("attack came as an empty list; allowed: an attack, or a list of groups")
    for number, group in enumerate(groups[:-1]):
        if group.takes_the_rest:
            raise ValueError(
                f"attack.{number} has no size: give peers, count or share; only the last of "
                f"{len(groups)} groups takes the rest"
            )
    named = [peer for group in groups for peer in group.peers or ()]
    if twice := sorted({peer for peer in named if named.count(peer) > 1}):
        raise ValueError(f"attack names peers in more than one group: {twice}")
