"""alpha and c1 of DFL-Dual for a scenario: from its first rounds with nobody hostile.

A peer that finds them itself (``auto``) has only its own first neighbourhoods, hostile or not. Who
sets up an experiment can know more: what the same peers, all benign, find in the same rounds. That
is what the numbers of a scenario should be, and what a user of the method would try out beforehand.
"""

import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from p2pfl.attacks import NoAttack
from p2pfl.defenses import DflDual
from p2pfl.errors import ScenarioError
from scenarios.loader import Loaded
from scenarios.runner import run


class Found(NamedTuple):
    """Medians over all peers, and the smallest and the largest."""

    alpha: float
    c1: float
    alpha_range: tuple[float, float]
    c1_range: tuple[float, float]


def calibrate(loaded: Loaded, data: Path | None = None) -> Found:
    """Run the first rounds of a scenario with every peer benign, and take what the peers find.

    Args:
        loaded: A scenario with ``dfl_dual``; its settings but for alpha and c1 are used,
            ``without`` among them.
        data: The data folder; None takes P2PFL_DATA.

    Raises:
        ScenarioError: If the defense is another one, or if no peer heard a neighbour.
    """
    scenario = loaded.scenario
    if not isinstance(scenario.defense, DflDual):
        name = type(scenario.defense).__name__
        raise ScenarioError(
            f"only dfl_dual is calibrated; the defense of {loaded.source} is {name}"
        )
    clean = replace(
        scenario,
        rounds=scenario.defense.settle,
        adversaries=None,
        attack=NoAttack(),
        defense=replace(scenario.defense, alpha="auto", c1="auto"),
        duration_s=None,
        evaluate=replace(scenario.evaluate, every=0, every_s=None),
    )
    with TemporaryDirectory() as folder:
        record = run(
            replace(loaded, scenario=clean), out=Path(folder) / "clean", data=data, picture=False
        )
        lines = (record.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [event for event in map(json.loads, lines) if event["event"] == "notes"]
    last = {event["peer"]: event["values"] for event in events}
    notes = [last[peer] for peer in sorted(last)]
    if not notes:
        raise ScenarioError(f"no peer of {loaded.source} heard a neighbour")
    alphas, c1s = ([values[name] for values in notes] for name in ("alpha", "c1"))
    return Found(
        alpha=median(alphas),
        c1=median(c1s),
        alpha_range=(min(alphas), max(alphas)),
        c1_range=(min(c1s), max(c1s)),
    )
