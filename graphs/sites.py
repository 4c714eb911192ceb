"""Peers at sites, and a file of how far the sites are from one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphs.checks import LONGEST_MS
from p2pfl.errors import TopologyError
from p2pfl.seeding import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Median latencies between sites, from a file; each peer is at one of the sites.

    The file has a line per site with the milliseconds from it to each site, in the same order,
    separated by commas or blanks; a first line of names is optional, and so is what follows a #.
    """

    path: str
    """Of the file; a relative one is looked for beside the scenario."""
    sites: tuple[int, ...] | None = None
    """The site of each peer by id, counted from 0 as the file's lines; null: see assign."""
    assign: Literal["random", "in_turn"] = "random"
    """Where sites is null: any site is as likely for each peer; or site after site by id."""
    sigma: float = 0.0
    """Spread of a message around the median, as that of lognormal, in [0, 10]; 0: none."""
    kind: Literal["matrix"] = "matrix"

    def __post_init__(self) -> None:
        if not 0 <= self.sigma <= 10:
            raise ValueError(f"sigma must be in [0, 10], got {self.sigma}")
        if self.sites is not None and (not self.sites or min(self.sites) < 0):
            raise ValueError(
                f"sites must be numbers of sites >= 0, one per peer, got {list(self.sites)}"
            )

    def read(self, peers: int, seed: int, folder: Path) -> "Sites":
        """Read the file and put the peers at sites, from the streams (seed, "site", peer).

        Raises:
            TopologyError: If the file is not there or is no square of numbers >= 0, or ``sites``
                does not fit it or the peers. Names the file and the line.
        """
        file = folder / self.path
        if not file.is_file():
            raise TopologyError(
                f"matrix: there is no file {self.path!r}; looked for {file.absolute()}"
            )
        median_ms = _square(file)
        count = len(median_ms)
        if self.sites is not None:
            if len(self.sites) != peers:
                raise TopologyError(
                    f"network.latency.sites has {len(self.sites)} entries for {peers} peers"
                )
            if max(self.sites) >= count:
                raise TopologyError(
                    f"network.latency.sites: {file} has sites 0 to {count - 1}, not "
                    f"{max(self.sites)}"
                )
            of = self.sites
        elif self.assign == "in_turn":
            of = tuple(peer % count for peer in range(peers))
        else:
            of = tuple(int(stream(seed, "site", peer).integers(count)) for peer in range(peers))
        return Sites(of=of, median_ms=median_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Where each peer is, and how far it is from site to site."""

    of: tuple[int, ...]
    """The site of each peer."""
    median_ms: tuple[tuple[float, ...], ...]
    """``median_ms[a][b]``: milliseconds from site a to site b."""

    def between(self, source: int, destination: int) -> float:
        """Median latency from peer to peer, in milliseconds."""
        return self.median_ms[self.of[source]][self.of[destination]]


def _square(file: Path) -> tuple[tuple[float, ...], ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise TopologyError(f"{file} cannot be read as text: {error}") from error
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        row = _numbers(words)
        if row is None and (rows or not words):
            raise TopologyError(f"{file}, line {number}: a latency is a number of ms in [0, 1e9]")
        if row:
            rows.append(row)
    if not rows or any(len(row) != len(rows) for row in rows):
        shape = " + ".join(str(len(row)) for row in rows[:5]) or "0"
        raise TopologyError(
            f"{file} must have as many numbers in each line as lines; {len(rows)} lines have "
            f"{shape}{' ...' if len(rows) > 5 else ''} numbers"
        )
    return tuple(rows)


def _numbers(words: Sequence[str]) -> tuple[float, ...] | None:
    """The numbers; None if some word is none, or out of range."""
    try:
        row = tuple(map(float, words))
    except ValueError:
        return None
    return row if all(0 <= ms <= LONGEST_MS for ms in row) else None
