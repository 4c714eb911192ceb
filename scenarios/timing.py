"""How long each peer's work takes in virtual time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from actors.protocols.events import Work
from actors.specs import Coalition, HostSpec, PeerSpec
from p2pfl.learner.training import Training, samples_per_round
from p2pfl.types import InputSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Training takes its samples at the peer's speed; a benign merge what the defense says; a
    server's work nothing.

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
    """A merge of so many messages at a benign peer."""

    @classmethod
    def of(
        cls, spec: HostSpec, peers: tuple[PeerSpec, ...], speeds: Mapping[int, float]
    ) -> "Timing":
        """For peers of these speeds, in samples a second."""

        def ns(peer: PeerSpec, training: Training) -> int:
            return round(1e9 * samples_per_round(training, len(peer.samples)) / speeds[peer.peer])

        coalition = {p.peer: spec.coalitions[p.coalition] for p in peers if p.coalition is not None}

        def merge_ns(peer: int, messages: int) -> int:
            if spec.strategy is not None:
                return 0
            inputs = InputSpec(shape=spec.shape, classes=spec.classes)
            passes = spec.defense.effort(messages, len(peers[peer].samples), inputs)
            return round(1e9 * passes / speeds[peer])

        return cls(
            honest_ns=tuple(0 if peer.server else ns(peer, spec.training) for peer in peers),
            attack_ns={
                peer.peer: ns(peer, coalition[peer.peer].attack.settings(spec.training))
                for peer in peers
                if peer.adversary
            },
            coalition=coalition,
            merge_ns=merge_ns,
        )

    def __call__(self, peer: int, work: Work) -> int:
        """Nanoseconds of virtual time."""
        coalition = self.coalition.get(peer)
        if work.kind == "merge" and coalition is None:
            return self.merge_ns(peer, len(work.inputs))
        trains = work.kind in ("train", "answer", "rest")
        if coalition is None or not coalition.conduct.active(work.round):
            return self.honest_ns[peer] if trains else 0
        again = work.kind == "craft" and coalition.attack.retrains
        return self.attack_ns[peer] if trains or again else 0
