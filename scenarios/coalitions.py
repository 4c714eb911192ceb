"""Which adversary does what: the scenario's attack, or its groups, dealt to the placed adversaries.

Each group is a coalition of its own. Its members know of one another and of nobody else: what they
agree on, count as their own and are shown by ``colluding`` is their group's. ALIE's z, Krum's
copies and a replacement's gamma count those who send the same, and the other groups do not.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import torch

from actors.specs import BackdoorArrays, Coalition
from p2pfl.attacks.backdoors import DataBackdoor
from p2pfl.data.dataset import Dataset, IntArray
from p2pfl.errors import ScenarioError
from p2pfl.learner.conduct import Conduct
from p2pfl.seeding import stream
from p2pfl.types import Backdoor, Samples
from scenarios.schema import AttackGroup, Scenario
from scenarios.variants import name_of


def make_coalitions(
    scenario: Scenario, adversaries: Sequence[int], folder: Path | None
) -> tuple[Coalition, ...]:
    """One per group, in their order; one for all where the scenario has one attack.

    Args:
        scenario: With its ``attack`` and ``adversaries.conduct``.
        adversaries: Their ids, ascending; where there is none, nobody has members.
        folder: Where attacks find their files.

    Raises:
        ScenarioError: If the groups' sizes do not fit the adversaries, or files are missing.
    """
    attack = scenario.attack
    groups = attack if isinstance(attack, tuple) else (AttackGroup(attack=attack),)
    default = scenario.adversaries.conduct if scenario.adversaries else Conduct()
    seed = scenario.all_seeds.placement
    return tuple(
        Coalition(
            attack=g.attack.loaded(folder),
            conduct=g.conduct or default,
            members=members,
            everyone=members,
        )
        for g, members in zip(groups, deal(groups, adversaries, seed), strict=True)
    )


def deal(
    groups: Sequence[AttackGroup], adversaries: Sequence[int], seed: int
) -> tuple[tuple[int, ...], ...]:
    """The members of each group, ascending; nobody where there is no adversary.

    A group that is drawn takes, of those that no group names and no group before it took, the ones
    with the smallest draws. Each draw comes from a stream of its own, (seed, "attack_group", group,
    peer): so a larger size keeps the members, and moves those behind it by as many at most.

    Raises:
        ScenarioError: If a group names a peer that is no adversary, would have no member, or
            the sizes do not come to the number of adversaries.
    """
    if not adversaries:
        return ((),) * len(groups)
    free = set(adversaries)
    for number, group in enumerate(groups):
        if strangers := sorted(set(group.peers or ()) - set(adversaries)):
            raise ScenarioError(
                f"attack.{number}.peers: {strangers} are no adversaries; these are "
                f"{list(adversaries)}"
            )
        free.difference_update(group.peers or ())
    sizes = _sizes(groups, len(adversaries))
    members = []
    for number, (group, size) in enumerate(zip(groups, sizes, strict=True)):
        chosen = group.peers
        if chosen is None:
            draws = {peer: stream(seed, "attack_group", number, peer).random() for peer in free}
            chosen = tuple(sorted(free, key=lambda peer: (draws[peer], peer))[:size])
            free.difference_update(chosen)
        members.append(tuple(sorted(chosen)))
    return tuple(members)


def _sizes(groups: Sequence[AttackGroup], adversaries: int) -> list[int]:
    sizes = [_size(group, adversaries) for group in groups]
    if groups[-1].takes_the_rest:
        sizes[-1] = adversaries - sum(sizes)
    if sum(sizes) != adversaries or min(sizes) < 1:
        texts = [str(size) for size in sizes]
        if groups[-1].takes_the_rest:
            texts[-1] = "the rest"
        raise ScenarioError(
            f"groups of {', '.join(texts)} do not make up the {adversaries} adversaries; "
            "each needs one at least, and a last group without peers, count and share takes the "
            "rest"
        )
    return sizes


def _size(group: AttackGroup, adversaries: int) -> int:
    """0 where it is left open."""
    if group.peers is not None:
        return len(group.peers)
    if group.share is not None:
        # In decimals as written, like the placements' fraction: 0.7 of 15 is 10.5 and not less.
        return ceil(Fraction(str(group.share)) * adversaries - Fraction(1, 2))
    return group.count or 0


def shared_parts(
    scenario: Scenario, coalitions: Sequence[Coalition], among: IntArray
) -> dict[int, IntArray]:
    """What each adversary trains on whose coalition shares its samples, by peer.

    Each coalition's are drawn once, without replacement, from a stream of their own: what other
    peers have stays as it is. Nobody trains on what the members would have had.

    Args:
        scenario: For the seed and the keys of a message.
        coalitions: Of the run.
        among: Indices of the training samples that peers have.

    Raises:
        ScenarioError: If more are asked for than there are.
    """
    parts: dict[int, IntArray] = {}
    for number, coalition in enumerate(coalitions):
        wanted = coalition.attack.shared_samples()
        if wanted is None:
            continue
        if wanted > len(among):
            group = f".{number}.attack" if isinstance(scenario.attack, tuple) else ""
            nested = "" if isinstance(coalition.attack, DataBackdoor) else ".data"
            raise ScenarioError(
                f"attack{group}{nested}.shared_data: must be in 1 .. {len(among)}, the training "
                f"samples that peers have, got {wanted}"
            )
        rng = stream(scenario.all_seeds.data, "shared data", number)
        drawn = np.sort(among[rng.permutation(len(among))[:wanted]])
        parts |= dict.fromkeys(coalition.everyone, drawn)
    return parts


def attack_names(coalitions: Sequence[Coalition]) -> str:
    """What tables and titles call it: ``alie``, or ``label_flip + alie``."""
    return " + ".join(name_of(coalition.attack) for coalition in coalitions)


def backdoor_of(coalitions: Sequence[Coalition], dataset: Dataset) -> BackdoorArrays | None:
    """On what success is measured, of all targeted groups together; None if none has members.

    Made once: all processes of a node share it as they share the test set.
    """
    test = Samples(
        inputs=torch.from_numpy(dataset.test_inputs),
        labels=torch.from_numpy(dataset.test_labels),
        classes=dataset.classes,
    )
    made = {
        number: coalition.attack.backdoor(test)
        for number, coalition in enumerate(coalitions)
        if coalition.members
    }
    found = {number: backdoor for number, backdoor in made.items() if backdoor is not None}
    if not found:
        return None
    joined = Backdoor(
        inputs=torch.cat([each.inputs for each in found.values()]),
        labels=torch.cat([each.labels for each in found.values()]),
        of_target=torch.cat([each.of_target for each in found.values()]),
        groups={number: len(each.labels) for number, each in found.items()},
    )
    return BackdoorArrays.of(joined)
