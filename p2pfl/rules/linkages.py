"""Agglomerative clustering: join the two nearest clusters until one is left."""

from typing import Literal

from jaxtyping import Float64
from torch import Tensor


def joined(
    distances: Float64[Tensor, "n n"], method: Literal["complete", "single"]
) -> list[tuple[list[int], list[int]]]:
    """The two clusters that each of the n - 1 steps joins, in order, from the nearest on.

    Args:
        distances: Shape (n, n), n >= 2, symmetric, finite, with zeros on the diagonal.
        method: Distance of two clusters: of their farthest members, or of their nearest.
    """
    # Here, as few runs cluster: importing them takes every process a quarter of a second.
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    clusters = [[i] for i in range(len(distances))]
    steps = []
    for step in linkage(squareform(distances.cpu().numpy(), checks=False), method):
        pair = clusters[int(step[0])], clusters[int(step[1])]
        clusters.append(sorted(pair[0] + pair[1]))
        steps.append(pair)
    return steps
