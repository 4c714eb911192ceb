"""Which peers changed: what became of each, whom it hears, and whom it accepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphs.types import heard
from scenarios.compare.pairs import Pair
from scenarios.report.folder import RunFolder

ACCEPTED = 0.5
"""A neighbour counts as accepted by a peer that gave it influence in at least this share of the
merges that it had a model of it for."""


@dataclass(frozen=True, slots=True)
class PeerChange:
    """One peer, in A and in B. Shares in [0, 1]; None: not evaluated."""

    seed: str
    peer: int
    group_a: str
    group_b: str
    accuracy_a: float | None
    accuracy_b: float | None
    asr_a: float | None
    asr_b: float | None
    lost: tuple[int, ...]
    """Neighbours that it hears in A only."""
    gained: tuple[int, ...]
    """In B only."""
    accepted: tuple[int, ...]
    """Neighbours that it accepts in B and rejected, or had no model of, in A. Of a peer that is
    benign in one of them alone nothing is known: merges of adversaries are not recorded."""
    rejected: tuple[int, ...]
    """Neighbours that it rejects in B and accepted in A."""

    @property
    def by(self) -> float:
        """How far its accuracy or its ASR is apart, whichever is more; 0 where it is not known."""
        sides = ((self.accuracy_a, self.accuracy_b), (self.asr_a, self.asr_b))
        return max((abs(b - a) for a, b in sides if a is not None and b is not None), default=0.0)

    @property
    def changed(self) -> bool:
        """Whether anything of it did."""
        same = (self.group_a, self.accuracy_a, self.asr_a) == (
            self.group_b, self.accuracy_b, self.asr_b,
        )  # fmt: skip
        return not same or bool(self.lost or self.gained or self.accepted or self.rejected)


def peers_changed(pairs: Sequence[Pair]) -> list[PeerChange]:
    """The peers of which anything changed: those first whose accuracy or ASR did most.

    Of pairs whose peers are not the same ones, none.
    """
    found = [change for pair in pairs if pair.by_peer for change in _of(pair) if change.changed]
    return sorted(found, key=lambda change: -change.by)


def _of(pair: Pair) -> list[PeerChange]:
    runs = (pair.a, pair.b)
    accuracy = [run.last(run.metrics.get("accuracy")) for run in runs]
    asr = [run.last(run.success) for run in runs]
    hears = [{peer: set(of) for peer, of in heard(run.graph).items()} for run in runs]
    accepts = [accepted(run) for run in runs]
    changes = []
    for peer, group in pair.a.groups.items():
        one, other = (of[peer] for of in hears)
        before, after = (of.get(peer, {}) for of in accepts)
        judged = [*after.items()] if before else []
        changes.append(
            PeerChange(
                seed=pair.seed,
                peer=peer,
                group_a=group,
                group_b=pair.b.groups[peer],
                accuracy_a=accuracy[0].get(peer),
                accuracy_b=accuracy[1].get(peer),
                asr_a=asr[0].get(peer),
                asr_b=asr[1].get(peer),
                lost=tuple(sorted(one - other)),
                gained=tuple(sorted(other - one)),
                accepted=tuple(sorted(k for k, yes in judged if yes and not before.get(k))),
                rejected=tuple(sorted(k for k, yes in judged if not yes and before.get(k))),
            )
        )
    return changes


def accepted(run: RunFolder) -> dict[int, Mapping[int, bool]]:
    """Of each peer that merges, by sender of whom it had a model: whether it accepted them."""
    rows = run.merges
    counts: dict[int, dict[int, list[int]]] = {}
    for peer, sender, influence in zip(
        rows.peer.tolist(), rows.sender.tolist(), rows.influence.tolist(), strict=True
    ):
        count = counts.setdefault(peer, {}).setdefault(sender, [0, 0])
        count[0] += 1
        count[1] += influence > 0
    return {
        peer: {sender: took >= ACCEPTED * had for sender, (had, took) in of.items()}
        for peer, of in counts.items()
    }
