"""Which clock a scenario runs on, and what it cannot have there."""

from graphs.varying import VARYING
from p2pfl.errors import ScenarioError
from scenarios.schema import Scenario

NOT_REPRODUCIBLE = "clock: real: no two runs are alike; other delays and order give other results"


def check_clock(scenario: Scenario) -> None:
    """Refuse what only the other clock has.

    Raises:
        ScenarioError: Names the key.
    """
    if scenario.runtime.clock == "virtual":
        if scenario.compute.measured:
            raise ScenarioError("compute.measured: virtual time has nothing to measure; it needs "
                                "runtime.clock: real")  # fmt: skip
        return
    if scenario.runtime.batch != "off":
        raise ScenarioError(
            f"runtime.batch: {scenario.runtime.batch} has peers train at one moment, and under "
            "runtime.clock: real each has its own; give off"
        )
    topology, budget = scenario.topology, scenario.budget
    refused = {
        "events": bool(scenario.events),
        "availability.churn": scenario.availability.churn is not None,
        "budget.bytes": budget is not None and budget.bytes is not None,
        "topology.every_s": isinstance(topology, VARYING) and topology.every_s is not None,
    }
    for key, came in refused.items():
        if came:
            raise ScenarioError(
                f"{key}: nobody sees all peers at once under runtime.clock: real; leave it out, or "
                "take clock: virtual"
            )
