"""How robust a graph is against adversaries whom peers cannot tell from others.

Source
    H. J. LeBlanc, H. Zhang, X. Koutsoukos, S. Sundaram. "Resilient Asymptotic Consensus in Robust
    Networks." IEEE Journal on Selected Areas in Communications 31, 2013.
    E. M. Shahrivar, M. Pirani, S. Sundaram. "Spectral and Structural Properties of Random
    Interdependent Networks." Automatica 83, 2017: the bound by the Laplacian.
"""

from dataclasses import dataclass
from math import ceil

import networkx as nx
import numpy as np

from graphs.types import Graph, heard

EXACT = 14
"""Peers up to which robustness is computed; each more doubles the cost."""
LARGEST = 1500
"""Peers up to which eigenvalues are computed: the cost grows with the cube."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """The greatest r for which a graph is r-robust, or bounds on it."""

    at_least: int
    at_most: int

    @property
    def tolerates(self) -> int:
        """F: so many adversaries in each neighbourhood leave it (2F + 1)-robust, for certain."""
        return max(0, (self.at_least - 1) // 2)


def robustness(graph: Graph) -> Robustness:
    """The greatest r such that of any two disjoint groups one has a member who hears r outside it.

    A graph is r-robust if of every two nonempty disjoint sets of peers at least one has a peer who
    hears r or more peers that are not in its set. With trimmed means that drop F values at each
    end, (2F + 1)-robustness suffices for benign peers to agree if nobody hears more than F
    adversaries.

    Exact up to ``EXACT`` peers. Beyond, r is at least degree - n // 2 + 1 and at most the least
    degree and ceil(n / 2); in an undirected graph at least half of the Laplacian's second
    eigenvalue, rounded up, since every set of at most half the peers then has as many edges out.

    Cost:
        O(n 2^n) up to ``EXACT`` peers, O(n^3) up to ``LARGEST``, O(m) beyond.
    """
    n = len(graph)
    if n < 2:
        return Robustness(at_least=n, at_most=n)
    if n <= EXACT:
        r = _exact(graph)
        return Robustness(at_least=r, at_most=r)
    least_degree = min(len(heard(graph)[peer]) for peer in graph)
    at_most = min(ceil(n / 2), max(1, least_degree))
    connected = not graph.is_directed() and nx.is_connected(graph)
    at_least = max(int(connected), least_degree - n // 2 + 1)
    if connected and n <= LARGEST:
        second = float(np.linalg.eigvalsh(nx.laplacian_matrix(graph).toarray())[1])
        at_least = max(at_least, ceil(second / 2 - 1e-9))
    return Robustness(at_least=min(at_least, at_most), at_most=at_most)


def _exact(graph: Graph) -> int:
    n = len(graph)
    sets = np.arange(1 << n)
    reach = np.zeros(1 << n, dtype=np.int64)
    for k, peer in enumerate(sorted(graph)):
        number = {other: bit for bit, other in enumerate(sorted(graph))}
        hears = sum(1 << number[other] for other in heard(graph)[peer])
        outside = np.bitwise_count(hears & ~sets)
        reach = np.where(sets >> k & 1, np.maximum(reach, outside), reach)
    # The least reach of any nonempty set within each set.
    least = reach.copy()
    least[0] = n
    for k in range(n):
        least = np.where(sets >> k & 1, np.minimum(least, least[sets & ~(1 << k)]), least)
    whole = (1 << n) - 1
    pairs = np.maximum(reach[1:whole], least[whole & ~sets[1:whole]])
    return int(pairs.min())
