"""Several methods side by side: the ``compare`` section of a scenario.

::

    budget: {bytes: 2.0e+7}
    compare:
      - {name: gossip, set: {defense: {kind: gossip_average}}}
      - {name: Krum at a server, set: {server.strategy: {kind: rule, rule: {kind: krum, f: 2}}}}

Each method sets keys over the rest of the file. All have equal peers, split, adversaries and seeds,
and an equal budget; what would make them differ in these is refused.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pfl.errors import ScenarioError
from scenarios.loader import Draft, Loaded
from scenarios.reader import Place, did_you_mean, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.specs import PeerSpec
    from scenarios.build import Experiment

METHOD = "method"
"""What the methods are called where sweeps have the keys of their axes."""

MAY_SET = (
    "topology", "allow_disconnected", "protocol", "defense", "server", "on_shortfall", "training",
    "rounds",
)  # fmt: skip
"""What is a method's own. All else is equal for all."""


def check_methods(draft: Draft, section: Any, sets: "Sequence[str]") -> None:
    """Hold a ``compare`` section to what it must be.

    Raises:
        ScenarioError: With the line of the first mistake.
    """

    def refuse(place: Place, text: str) -> None:
        raise draft.wrong(("compare", *place), text, sets)

    example = "{name: gossip, set: {defense: {kind: gossip_average}}}"
    if not isinstance(section, list) or len(section) < 2:
        refuse((), f"came {show(section)}; allowed: a list of two or more, such as {example}")
    names = []
    for number, method in enumerate(section):
        if not isinstance(method, dict) or set(method) != {"name", "set"}:
            refuse((number,), f"came {show(method)}; allowed: {example}")
        name, given = method["name"], method["set"]
        if not isinstance(name, str) or not name.strip():
            refuse((number, "name"), f"came {show(name)}; allowed: text")
        if name in names:
            refuse((number, "name"), f"came {show(name)} once more; each method has its own")
        names.append(name)
        if not isinstance(given, dict):
            refuse((number, "set"), f"came {show(given)}; allowed: a mapping of dotted keys")
        for key in map(str, given):
            first = key.partition(".")[0]
            if first not in MAY_SET:
                text = f"a method may set {', '.join(MAY_SET)}; all else is equal for all"
                refuse((number, "set", key), text + did_you_mean(first, MAY_SET))


def check_axis(draft: Draft, section: "Sequence[Any]", key: str, sets: "Sequence[str]") -> None:
    """Refuse a swept key that a method sets: one of them would undo the other."""
    if key == METHOD:
        raise draft.wrong(("sweep", key), "the methods of compare are called so", sets)
    for method in section:
        for own in map(str, method["set"]):
            if f"{own}.".startswith(f"{key}.") or f"{key}.".startswith(f"{own}."):
                text = f"method {method['name']!r} of compare sets {own}; set it in one place"
                raise draft.wrong(("sweep", key), text, sets)


def withheld_alike(methods: "Sequence[Loaded]") -> list[Loaded]:
    """What one method's server holds out, nobody has in the others either.

    Raises:
        ScenarioError: If two servers hold out different numbers of samples.
    """
    wanted = {m.scenario.server.held_out for m in methods if m.scenario.server is not None} - {0}
    if len(wanted) > 1:
        came = " and ".join(map(str, sorted(wanted)))
        raise ScenarioError(
            f"compare: servers hold out {came} samples, so their clients cannot have equal ones; "
            "give server.held_out the same number in all methods that have it"
        )
    if not wanted:
        return list(methods)
    [count] = wanted
    alike = []
    for method in methods:
        server = method.scenario.server
        if server is not None and server.held_out:  # it does so itself
            alike.append(method)
            continue
        data = replace(method.scenario.data, withheld=max(count, method.scenario.data.withheld))
        alike.append(replace(method, scenario=replace(method.scenario, data=data)))
    return alike


@dataclass(frozen=True, slots=True)
class _Facts:
    """What has to be equal, of the first method of a comparison."""

    name: str
    clients: "tuple[PeerSpec, ...]"


class Equality:
    """Holds each method of a comparison to the first one's peers, adversaries and samples."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], _Facts] = {}

    def hold(self, names: "Sequence[str]", experiment: "Experiment") -> None:
        """Compare one built cell with the first of the same values on the other axes.

        Args:
            names: The method's, and those of the other axes' values.
            experiment: The cell, built.

        Raises:
            ScenarioError: If they differ; says in what, and how to make it equal.
        """
        name, others = names[0], tuple(names[1:])
        clients = tuple(peer for peer in experiment.peers if not peer.server)
        facts = _Facts(name, clients)
        first = self._first.setdefault(others, facts)
        if reason := _difference(first, facts):
            raise ScenarioError(
                f"compare: methods {first.name!r} and {name!r} cannot be held against each other: "
                + reason
            )


def _difference(first: _Facts, other: _Facts) -> str | None:
    """In what two methods differ that must not, as a sentence; None if in nothing."""
    if len(first.clients) != len(other.clients):
        return (
            f"they have {len(first.clients)} and {len(other.clients)} peers; "
            "give topology.peers the same number"
        )
    hostile = [
        {peer.peer: peer.coalition for peer in facts.clients if peer.adversary}
        for facts in (first, other)
    ]
    if hostile[0] != hostile[1]:
        ids = [", ".join(map(str, each)) or "nobody" for each in hostile]
        return (
            f"their adversaries are {ids[0]} and {ids[1]}, as the placement follows the graph; "
            "name them: adversaries: {placement: {kind: nodes, nodes: [...]}}"
        )
    unlike = [
        one.peer
        for one, two in zip(first.clients, other.clients, strict=True)
        if not np.array_equal(one.samples, two.samples)
    ]
    if unlike:
        return (
            f"{len(unlike)} peers, the first of them {unlike[0]}, do not have the same samples; "
            "give data.assign: random, or the same topology"
        )
    return None
