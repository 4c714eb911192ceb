"""What to hold a defense against: the same run with nobody to hear, and with nobody hostile.

``local_only``: each benign peer trains alone. ``benign_only``: the adversaries and their edges are
not there, and benign peers average. Neither depends on attack, conduct or defense, so cells that
differ in these alone share them. A defense that ignores everybody is safe and worthless, and only
beside these does a table show it.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any, Literal, NamedTuple

from p2pfl.attacks import NoAttack
from p2pfl.defenses import GossipAverage, LocalOnly
from p2pfl.learner.conduct import Conduct
from scenarios.loader import Loaded

Reference = Literal["local_only", "benign_only"]
REFERENCES: tuple[Reference, ...] = ("local_only", "benign_only")

HALFWAY = 0.5
ACCEPTED = 0.8
REJECTED = 0.9
"""A defense works where it reaches at least ``HALFWAY`` from local_only to benign_only, accepts at
least ``ACCEPTED`` of the models of benign neighbours and rejects at least ``REJECTED`` of those of
adversaries; the last two in the second half of the run."""


def reference_of(loaded: Loaded, which: Reference) -> Loaded | None:
    """The scenario of a reference run, inline; None where a server stands in the middle."""
    scenario = loaded.scenario
    if scenario.server is not None:
        return None
    adversaries = scenario.adversaries
    alone = replace(
        scenario,
        attack=NoAttack(),
        adversaries=None
        if adversaries is None
        else replace(adversaries, absent=True, conduct=Conduct()),
        defense=LocalOnly() if which == "local_only" else GossipAverage(),
        on_shortfall="keep_own",
        seeds=replace(scenario.seeds, attack=None),  # nobody draws from it
        runtime=replace(scenario.runtime, executor="inline"),
    )
    return replace(loaded, scenario=alone)


def beside(
    summary: Mapping[str, Any], references: Mapping[Reference, Mapping[str, Any]]
) -> dict[str, Any]:
    """A run's summary beside those of its references, as columns of a table.

    Returns:
        ``local_only``, ``benign_only``: their mean accuracy over the benign peers, in [0, 1];
        ``gain_mean``, ``gain_worst``: accuracy above the same peer's in local_only; ``works``, as
        above. None where something is missing.
    """
    means = {name: _mean(references.get(name, {})) for name in REFERENCES}
    gains = [each.accuracy - each.alone for each in peer_by_peer(summary, references).values()]
    return {
        "local_only": means["local_only"],
        "benign_only": means["benign_only"],
        "gain_mean": fmean(gains) if gains else None,
        "gain_worst": min(gains, default=None),
        "works": _works(summary, means["local_only"], means["benign_only"]),
    }


class Peer(NamedTuple):
    """One benign peer's last accuracies, in [0, 1]."""

    accuracy: float
    alone: float
    """In local_only."""


def peer_by_peer(
    summary: Mapping[str, Any], references: Mapping[Reference, Mapping[str, Any]]
) -> dict[str, Peer]:
    """Each peer that was measured in a run and in its local_only, in the order of their ids."""
    own, alone = _by_peer(summary), _by_peer(references.get("local_only", {}))
    return {peer: Peer(own[peer], alone[peer]) for peer in own if peer in alone}


def _works(
    summary: Mapping[str, Any], local_only: float | None, benign_only: float | None
) -> bool | None:
    mean = _mean(summary)
    if mean is None or local_only is None or benign_only is None:
        return None
    accepted, rejected = summary.get("benign_accepted"), summary.get("adversaries_rejected")
    return (
        mean >= local_only + HALFWAY * (benign_only - local_only)
        and (accepted is None or accepted >= ACCEPTED)
        and (rejected is None or rejected >= REJECTED)
    )


def _mean(summary: Mapping[str, Any]) -> float | None:
    return (summary.get("accuracy", {}).get("benign") or {}).get("mean")


def _by_peer(summary: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = summary.get("accuracy_by_peer", {})
    return found
