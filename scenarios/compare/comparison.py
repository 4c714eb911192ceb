"""``p2pfl compare``: all that can be said of two arms of runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenarios.compare.changed import Change, keys_changed, outcome_changed
from scenarios.compare.differences import Course, courses
from scenarios.compare.pairs import Pair, pairs_of
from scenarios.compare.parting import Parting, partings
from scenarios.compare.peers import PeerChange, peers_changed


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs A against runs B."""

    pairs: tuple[Pair, ...]
    """One for each seed."""
    keys: tuple[Change, ...]
    """What the scenarios of the first pair say differently."""
    outcomes: tuple[Change, ...]
    """What that changed in the first pair before the first round."""
    uneven: tuple[str, ...]
    """Keys in which the pairs do not differ in the same way, if there are several."""
    courses: tuple[Course, ...]
    peers: tuple[PeerChange, ...]
    partings: tuple[Parting, ...]
    """Of the first pair."""

    @property
    def names(self) -> tuple[str, str]:
        """What A and B are called: their folders."""
        return (
            ", ".join(str(pair.a.path) for pair in self.pairs),
            ", ".join(str(pair.b.path) for pair in self.pairs),
        )

    @property
    def over(self) -> str:
        """What the intervals are over."""
        return "peers" if len(self.pairs) == 1 else "seeds"

    def as_dict(self) -> dict[str, Any]:
        """Dicts, lists, numbers and None only, as JSON has them."""
        a, b = self.names
        return {
            "a": a,
            "b": b,
            "seeds": [pair.seed for pair in self.pairs],
            "intervals_over": self.over,
            "keys": [change._asdict() for change in self.keys],
            "outcomes": [change._asdict() for change in self.outcomes],
            "uneven": list(self.uneven),
            "courses": [
                {
                    "metric": course.metric,
                    "role": course.role,
                    "last": course.last._asdict(),
                    "by_round": [
                        {"round": round_, **each._asdict()}
                        for round_, each in zip(course.rounds, course.estimates, strict=True)
                    ],
                }
                for course in self.courses
            ],
            "peers": [asdict(change) for change in self.peers],
            "partings": [asdict(parting) for parting in self.partings],
        }


def compare(folders: Sequence[Path]) -> list[Comparison]:
    """Hold the first arm of some runs against each other arm, from their folders alone.

    Args:
        folders: As :func:`scenarios.compare.pairs.pairs_of` takes them.

    Raises:
        ScenarioError: If one is no run folder, or they make no pairs.

    Cost:
        Reads each table once or twice: of 200 peers and 200 rounds some seconds.
    """
    return [_compared(pairs) for pairs in pairs_of(folders)]


def _compared(pairs: Sequence[Pair]) -> Comparison:
    first = pairs[0]
    each = [keys_changed(pair.a, pair.b) for pair in pairs]
    common = set.intersection(*({*changes} for changes in each))
    uneven = {change.what for changes in each for change in changes if change not in common}
    return Comparison(
        pairs=tuple(pairs),
        keys=tuple(each[0]),
        outcomes=tuple(outcome_changed(first.a, first.b)),
        uneven=tuple(sorted(uneven)),
        courses=tuple(courses(pairs)),
        peers=tuple(peers_changed(pairs)),
        partings=tuple(partings(first)),
    )
