"""What a window of GPD's record says of each neighbour: the numbers that its detectors look at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf, nan

from p2pfl.defenses.sketch import Sketch, dots, norms


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of some neighbours over one window, in the order of ``senders``."""

    senders: tuple[int, ...]
    chi: tuple[float, ...]
    """Consistency: |D| / sqrt(q) for the sum D and the energy q of all differences between the
    neighbour's gradients and the own aggregated ones. Noise that averages out gives 1, a neighbour
    that follows the same average far less, a constant bias the root of the number of rounds."""
    ratio: tuple[float, ...]
    """Length of the neighbour's sum of gradients over that of the own."""
    cosine: tuple[float, ...]
    """Between the two sums."""
    pull: tuple[float, ...]
    """Norm of the mean distance between the neighbour's model and the own, over the rounds."""
    reach: tuple[float, ...]
    """The pull in units of the peer's local steps, their root mean square over these rounds."""
    answer: tuple[float, ...]
    """How far the neighbour came towards this peer, of what it would if it did nothing but mix: the
    sum over rounds of <m_j(t + 1), d(t)> / |d(t)|, over that of a_ij |d(t)|, for its gradients m_j
    and the way d = H_ii - H_ij. Lengths and not squares, so that one far round does not outweigh
    the others. Above 1 by what others have in common with this peer; about 0 for who moves as if
    this peer were not there. Not a number where nothing is owed: the edge is cut, the models are
    equal, or models are not mixed."""
    persistence: tuple[float, ...]
    """How far its gradients go on from round to round, more than the own ones do: the mean cosine
    between m_j(t) and m_j(t - 1), less the same of the own aggregated gradients. Who mixes takes
    back most of its last step when it mixes, so of two gradients in a row the second opposes the
    first; of one that goes its own way it does not. Cosines, so that one far round does not
    outweigh the others. Not a number where no two in a row are known by themselves, or one is 0."""
    off: Sketch
    """(n, s) the sums D, sketched."""
    first: bool
    """Whether the window is a short one, as that of the first check."""

    @classmethod
    def of(
        cls,
        senders: Sequence[int],
        *,
        off: Sketch,
        ours: Sketch,
        energy: Sequence[float],
        came: Sequence[float],
        owed: Sequence[float],
        kept_on: Sequence[float],
        pairs: Sequence[int],
        own_kept_on: Sequence[float],
        own_pairs: Sequence[int],
        own_steps: Sequence[float],
        pulls: Sketch,
        rounds: Sequence[int],
        first: bool,
    ) -> "Evidence":
        """Of one window.

        Equal models agree: chi 0, ratio 1, cosine 1. Beside an own sum of 0 any other is infinite.

        Args:
            senders: The n neighbours.
            off: (n, s) the sums D.
            ours: (n, s) the own gradients of the same rounds, summed.
            energy: q of each.
            came: Numerator of each answer.
            owed: Denominator of each answer.
            kept_on: The cosines between gradients in a row of each, summed ...
            pairs: ... and how many these are.
            own_kept_on: The same of the own, over the rounds of each neighbour ...
            own_pairs: ... and their number.
            own_steps: The squared lengths of the own local steps in these rounds, summed.
            pulls: (n, s) the differences of the models, summed.
            rounds: How many each is known for.
            first: Whether this is the first check.
        """
        theirs = off + ours
        own, length = norms(ours).tolist(), norms(theirs).tolist()
        product, apart = dots(theirs, ours).tolist(), norms(off).tolist()
        n = range(len(senders))
        pull = [total / max(1, rounds[k]) for k, total in enumerate(norms(pulls).tolist())]
        step = [(own_steps[k] / max(1, rounds[k])) ** 0.5 for k in n]
        return cls(
            senders=tuple(senders),
            chi=tuple(apart[k] / energy[k] ** 0.5 if energy[k] > 0 else 0.0 for k in n),
            ratio=tuple(_ratio(length[k], own[k]) for k in n),
            cosine=tuple(_cosine(product[k], length[k], own[k]) for k in n),
            pull=tuple(pull),
            reach=tuple(_ratio(pull[k], step[k]) for k in n),
            answer=tuple(came[k] / owed[k] if owed[k] > 0 else nan for k in n),
            persistence=tuple(
                kept_on[k] / pairs[k] - own_kept_on[k] / own_pairs[k]
                if pairs[k] and own_pairs[k]
                else nan
                for k in n
            ),
            off=off,
            first=first,
        )

    def only(self, senders: Collection[int]) -> "Evidence":
        """Of some of the neighbours."""
        places = [k for k, sender in enumerate(self.senders) if sender in senders]
        return Evidence(
            senders=tuple(self.senders[k] for k in places),
            chi=tuple(self.chi[k] for k in places),
            ratio=tuple(self.ratio[k] for k in places),
            cosine=tuple(self.cosine[k] for k in places),
            pull=tuple(self.pull[k] for k in places),
            reach=tuple(self.reach[k] for k in places),
            answer=tuple(self.answer[k] for k in places),
            persistence=tuple(self.persistence[k] for k in places),
            off=self.off[places],
            first=self.first,
        )


def _ratio(theirs: float, own: float) -> float:
    if own == 0:
        return 1.0 if theirs == 0 else inf
    return theirs / own


def jump(low: float, high: float) -> float:
    """The ratio of two neighbouring values, neither negative; from 0 to 0 there is none."""
    if low == 0:
        return inf if high > 0 else 1.0
    return high / low


def _cosine(product: float, theirs: float, own: float) -> float:
    if theirs == 0 or own == 0:
        return 1.0 if theirs == own else 0.0
    return max(-1.0, min(1.0, product / theirs / own))
