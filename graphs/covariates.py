"""A graph and its adversaries as a handful of numbers: columns for a table of many runs."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from math import fsum

from graphs.neighbourhoods import neighbourhood_report
from graphs.robustness import robustness
from graphs.structure import benign_part, spectral_gap
from graphs.types import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """Of the benign peers' neighbourhoods, unless it says otherwise; None where there is none."""

    degree_min: int | None
    """Neighbours of a benign peer, adversaries among them: the fewest."""
    degree_mean: float | None
    """Their mean."""
    degree_max: int | None
    """The most."""
    hostile_share_mean: float | None
    """b / (b + h), the share of adversaries among a benign peer's neighbours, in [0, 1]: its mean
    over the benign peers; 0 at a peer without neighbours."""
    hostile_share_max: float | None
    """The greatest."""
    dominated_share: float
    """Share of the benign peers with b > h, in [0, 1]."""
    mean_hops: float | None
    """Edges from the nearest adversary, the mean over the benign peers that one can reach."""
    delta_max: float
    """The largest total Metropolis-Hastings weight that a benign peer gives to adversaries."""
    benign_components: int
    """Parts into which the benign peers fall without the adversaries."""
    spectral_gap: float | None
    """Of the Metropolis-Hastings weights among benign peers alone, in [0, 1]."""
    robust_at_least: int
    """The whole graph is r-robust for this r, for certain ..."""
    robust_at_most: int
    """... and for none above this. Equal where it is known exactly."""

    def as_dict(self) -> dict[str, float | None]:
        """By name."""
        return asdict(self)


def covariates(graph: Graph, adversaries: Collection[int]) -> Covariates:
    """Look at a graph as ``neighbourhood_report`` and ``structure_report`` do, and sum it up.

    Raises:
        TopologyError: If an adversary is no peer of the graph.

    Cost:
        O(n^3) for n peers.
    """
    report = neighbourhood_report(graph, adversaries)
    degrees = [peer.degree for peer in report.peers]
    shares = [peer.share for peer in report.peers]
    hops = [peer.hops for peer in report.peers if peer.hops is not None]
    r = robustness(graph)
    return Covariates(
        degree_min=min(degrees, default=None),
        degree_mean=_mean(degrees),
        degree_max=max(degrees, default=None),
        hostile_share_mean=_mean(shares),
        hostile_share_max=max(shares, default=None),
        dominated_share=report.dominated_share,
        mean_hops=_mean(hops),
        delta_max=report.delta_max,
        benign_components=report.components,
        spectral_gap=spectral_gap(benign_part(graph, adversaries)),
        robust_at_least=r.at_least,
        robust_at_most=r.at_most,
    )


def _mean(values: Collection[float]) -> float | None:
    return fsum(values) / len(values) if values else None
