"""How long each peer's work takes in virtual time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from actors.protocols.events import MERGES, Work
from actors.specs import Coalition, HostSpec, PeerSpec
from p2pfl.data.dataset import Dataset
from p2pfl.learner.training import Training, samples_per_round
from p2pfl.types import InputSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Training takes its samples at the peer's speed, at a client as many as its strategy says; a
    benign merge what the defense says, a server's what the strategy says.

    An adversary trains as its attack sets in the rounds of the attack, and as benign peers do in
    the others. An attack that retrains when it crafts takes as long once more, in every round of
    the attack, though it may do without in the first.
    """

    honest_ns: tuple[int, ...]
    """A round of training as benign peers do it, per peer."""
    attack_ns: Mapping[int, int]
    """The same as its attack sets it, per adversary."""
    coalition: Mapping[int, Coalition]
    """Of each adversary."""
    merge_ns: Callable[[int, int], int]
    """A merge of so many messages at a benign peer, or at the server."""
    answer_ns: Callable[[int, int, bool], int]
    """An answer of a client in a round, and whether it attacks in it."""

    @classmethod
    def of(
        cls,
        spec: HostSpec,
        peers: tuple[PeerSpec, ...],
        speeds: Mapping[int, float],
        held: Sequence[Sequence[int]],
    ) -> "Timing":
        """For peers of these speeds, in samples a second, that have so many samples of each
        class."""

        def ns(peer: PeerSpec, training: Training) -> int:
            return round(1e9 * samples_per_round(training, len(peer.samples)) / speeds[peer.peer])

        coalition = {p.peer: spec.coalitions[p.coalition] for p in peers if p.coalition is not None}

        def merge_ns(peer: int, messages: int) -> int:
            inputs = InputSpec(shape=spec.shape, classes=spec.classes)
            own = len(peers[peer].samples)
            passes = (
                spec.strategy.effort(messages, own)
                if spec.strategy is not None
                else spec.defense.effort(messages, own, inputs)
            )
            return round(1e9 * passes / speeds[peer])

        def answer_ns(peer: int, round_: int, hostile: bool) -> int:
            assert spec.strategy is not None  # or nobody is asked
            settings = spec.training
            if hostile:
                settings = coalition[peer].attack.settings(settings)
            passes = spec.strategy.client_effort(round_, hostile, settings, held[peer])
            return round(1e9 * passes / speeds[peer])

        return cls(
            honest_ns=tuple(0 if peer.server else ns(peer, spec.training) for peer in peers),
            attack_ns={
                peer.peer: ns(peer, coalition[peer.peer].attack.settings(spec.training))
                for peer in peers
                if peer.coalition is not None
            },
            coalition=coalition,
            merge_ns=merge_ns,
            answer_ns=answer_ns,
        )

    def __call__(self, peer: int, work: Work) -> int:
        """Nanoseconds of virtual time."""
        if work.kind in MERGES and work.stance == "benign":
            return self.merge_ns(peer, len(work.inputs))
        hostile = work.stance == "hostile"
        if work.kind == "answer":
            return self.answer_ns(peer, work.round, hostile)
        plain_ns = self.attack_ns[peer] if hostile else self.honest_ns[peer]
        trains = work.kind in ("train", "rest")
        again = hostile and work.kind == "craft" and self.coalition[peer].attack.retrains
        return plain_ns if trains or again else 0


def held_of(peer: PeerSpec, dataset: Dataset) -> list[int]:
    """How many training samples of each class a peer was dealt."""
    labels = dataset.labels[peer.samples]
    counts: list[int] = np.bincount(labels, minlength=dataset.classes).tolist()
    return counts
