"""Which run is held against which: the same seed in each arm, in the order in which they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from p2pfl.errors import ScenarioError
from scenarios.report.folder import RunFolder, read_folder

Seeds: TypeAlias = tuple[int, tuple[tuple[str, int], ...]]
"""The run's seed, and those of parts that have their own."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, A and B."""

    a: RunFolder
    b: RunFolder

    @property
    def seed(self) -> str:
        """``58``; ``58, graph 3`` with a seed of a part; ``1 | 2`` where it is what differs."""
        a, b = (_said(_seeds(run)) for run in (self.a, self.b))
        return a if a == b else f"{a} | {b}"

    @property
    def by_peer(self) -> bool:
        """Whether peers of one number can be held against one another: there are as many."""
        return len(self.a.groups) == len(self.b.groups)


def pairs_of(folders: Sequence[Path]) -> list[list[Pair]]:
    """The first arm against each of the others; an arm has one run for each seed.

    Runs of one seed are told apart by their order: the first of each seed are the first arm, the
    second of each the second, and so on: ``a1 b1 a2 b2`` and ``a1 a2 b1 b2`` come to the same.
    Where no two runs share a seed, each is an arm.

    Returns:
        For each arm but the first, its pairs by ascending seed.

    Raises:
        ScenarioError: If there is one run only, one that comes twice, or a seed has fewer runs
            than another.
    """
    if len(folders) < 2:
        raise ScenarioError(f"compare needs two run folders or more, got {len(folders)}")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ScenarioError("compare: a run folder came twice")
    runs = [read_folder(folder) for folder in folders]
    by_seed: dict[Seeds, list[RunFolder]] = {}
    for run in runs:
        by_seed.setdefault(_seeds(run), []).append(run)
    counts = {seed: len(of) for seed, of in sorted(by_seed.items())}
    if set(counts.values()) == {1}:
        return [[Pair(runs[0], other)] for other in runs[1:]]
    if len(set(counts.values())) > 1:
        came = ", ".join(f"{count} with seed {_said(seed)}" for seed, count in counts.items())
        raise ScenarioError(
            f"compare needs as many runs of one seed as of another, one for each arm; got {came}"
        )
    arms = len(next(iter(by_seed.values())))
    return [
        [Pair(by_seed[seed][0], by_seed[seed][arm]) for seed in counts] for arm in range(1, arms)
    ]


def _seeds(run: RunFolder) -> Seeds:
    own = run.scenario.get("seeds") or {}
    return run.summary["seed"], tuple((part, k) for part, k in own.items() if k is not None)


def _said(seeds: Seeds) -> str:
    whole, own = seeds
    return ", ".join([str(whole), *(f"{part} {seed}" for part, seed in own)])
