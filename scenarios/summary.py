"""What a run comes to: the content of summary.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, Literal

from actors.observer import EdgeCounts
from p2pfl.defenses import RuleDefense
from p2pfl.learner.evaluation import Evaluation, Success
from p2pfl.metrics import overall_value, resistance, tenth_percentile
from scenarios.build import Experiment
from scenarios.coalitions import attack_names
from scenarios.guarantees import strategy_name
from scenarios.schema import Scenario
from scenarios.tables import Tables
from scenarios.tally import Tally
from scenarios.variants import name_of
from scenarios.warm_start import Started


def groups_of(experiment: Experiment, roles: Sequence[str] | None = None) -> dict[str, list[int]]:
    """The peers by role, the benign ones also by place: dominated or not.

    ``roles`` are those at present, where adversaries move; dominated is who was at the beginning.
    """
    now = experiment.roles if roles is None else roles
    benign = [peer for peer, role in enumerate(now) if role == "benign"]
    heard = experiment.neighbourhoods.peers
    dominated = [row.peer for row in heard if row.dominated and now[row.peer] == "benign"]
    return {
        "server": [] if experiment.server is None else [experiment.server],
        "benign": benign,
        "benign_dominated": dominated,
        "benign_other": [peer for peer in benign if peer not in set(dominated)],
        "adversary": [peer for peer, role in enumerate(now) if role == "adversary"],
    }


def method_name(scenario: Scenario) -> str:
    """What tables call the defense, or the server's strategy: of a rule, the rule."""
    if scenario.server:
        return f"{strategy_name(scenario.server.strategy)} at the server"
    defense = scenario.defense
    return name_of(defense.rule if isinstance(defense, RuleDefense) else defense)


def summarise(
    experiment: Experiment,
    *,
    status: str,
    error: str | None,
    digest: str | None,
    virtual_ns: int,
    spent: Literal["bytes", "virtual_s"] | None,
    tables: Tables | None,
    counts: Mapping[tuple[int, int], EdgeCounts],
    started: Started | None,
    wall_s: Mapping[str, float],
) -> dict[str, Any]:
    """Put the figures together; also writes messages.csv, whose totals are among them.

    Accuracies are those of each peer's last evaluation, in [0, 1].
    """
    scenario = experiment.scenario
    coalitions = experiment.spec.coalitions
    groups = groups_of(experiment, tables.tally.roles.at_last() if tables else None)
    tally = tables.tally if tables else Tally()
    final = tally.final
    # Of whom the run is: measured are all of them, or some.
    meant = groups["server"] or groups["benign"]
    measured = sorted(set(meant).intersection(experiment.measured))
    last = [final[peer].evaluation for peer in measured if peer in final]
    happened = tally.counts
    done = [tally.done.get(peer, 0) for peer in meant]
    rounds = max(done) if spent or scenario.rounds is None else scenario.rounds
    accepted = tally.accepted(rounds)
    return {
        "name": scenario.name,
        "status": status,
        "error": error,
        "seed": scenario.seed,
        "rounds": scenario.rounds,
        "rounds_done": {"least": min(done), "most": max(done)},
        "budget": None if scenario.limit is None else {**asdict(scenario.limit), "spent": spent},
        "dataset": scenario.data.dataset,
        "held_out": max(scenario.data.withheld, scenario.server.held_out if scenario.server else 0),
        "attack": attack_names(coalitions),
        "knowledge": " + ".join(coalition.attack.knowledge for coalition in coalitions),
        "defense": method_name(scenario),
        "peers": {name: len(peers) for name, peers in groups.items()},
        "measured": len(measured),
        "adversaries": groups["adversary"],
        "placement": dict(experiment.placed.notes),
        "dominated": groups["benign_dominated"],
        "accuracy": {name: _spread(peers, tally) for name, peers in groups.items()},
        "curve": _curve(measured, tally, rounds, scenario.evaluate.late_rounds),
        "warm_start": None if started is None else started.as_dict(),
        "asr": _mean_asr([e.success for e in last]),
        **_resisted(last),
        "attack_groups": [
            {
                "attack": name_of(coalition.attack),
                "knowledge": coalition.attack.knowledge,
                "adversaries": list(coalition.members),
                "accuracy": _spread(coalition.members, tally),
                "asr": _mean_asr([e.asr_by_group[k] for e in last if k in e.asr_by_group]),
            }
            for k, coalition in enumerate(coalitions)
        ],
        "accuracy_by_peer": {
            str(peer): final[peer].evaluation.accuracy for peer in groups["benign"] if peer in final
        },
        "benign_accepted": _share(accepted, "benign_rows_accepted", "benign_rows"),
        "adversaries_rejected": _share(
            accepted, "adversary_rows_accepted", "adversary_rows", rest=True
        ),
        "flags_tpr": _mean([rates.tpr for rates in tally.rates]),
        "flags_fpr": _mean([rates.fpr for rates in tally.rates]),
        "adversary_influence": _mean(tally.influence),
        "shortfalls": happened.get("shortfall", 0),
        "without_guarantee": happened.get("unguaranteed", 0),
        "merges": happened.get("merges", 0),
        "timeouts": happened.get("timeout", 0),
        "flags": happened.get("flag", 0),
        "lost": {str(peer): tally.lost[peer] for peer in sorted(tally.lost)},
        "messages": tables.write_messages(counts) if tables else {},
        "warnings": [*experiment.warnings, *_lessons(tally)],
        "digest": digest,
        "virtual_s": virtual_ns / 1e9,
        "wall_s": {name: round(seconds, 3) for name, seconds in wall_s.items()},
    }


def _spread(peers: Sequence[int], tally: Tally) -> dict[str, float] | None:
    final = tally.final
    values = [final[peer].evaluation.accuracy for peer in peers if peer in final]
    if not values:
        return None
    return {
        "mean": fmean(values),
        "worst": min(values),
        "tenth_percentile": tenth_percentile(values),
        "best": max(values),
    }


def _curve(
    peers: Sequence[int], tally: Tally, rounds: int, late_rounds: int | None
) -> dict[str, float | int | None] | None:
    """Of the peers' mean accuracy: the best, and when; of the late rounds how far apart those are,
    and the means of accuracy and ASR.

    Late are the last ``late_rounds``, or (None) the last sixth: 500 of 3,000.
    """
    measured = {
        round_: [of[peer] for peer in peers]
        for round_, of in tally.curve.items()
        if of.keys() >= set(peers)
    }
    if not measured:
        return None
    curve = {round_: fmean(share for share, _ in each) for round_, each in measured.items()}
    best = max(sorted(curve), key=curve.__getitem__)
    before = rounds * 5 / 6 if late_rounds is None else rounds - late_rounds
    late = [round_ for round_ in sorted(curve) if round_ > before]
    shares = [curve[round_] for round_ in late]
    return {
        "best": curve[best],
        "best_round": best,
        "late_spread": max(shares) - min(shares) if shares else None,
        "late_mean": _mean(shares),
        "late_asr": _mean_asr([success for round_ in late for _, success in measured[round_]]),
    }


def _share(counts: Mapping[str, int], part: str, whole: str, rest: bool = False) -> float | None:
    """One count over another, or what is missing to 1; None of nothing."""
    if not counts.get(whole):
        return None
    share = counts.get(part, 0) / counts[whole]
    return 1 - share if rest else share


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _mean_asr(successes: Sequence[Success | None]) -> float | None:
    """On inputs that are not of the target class anyway, where there are any."""
    known = [success for success in successes if success is not None]
    return _mean([s.asr if s.excluding_target is None else s.excluding_target for s in known])


def _resisted(last: Sequence[Evaluation]) -> dict[str, float | None]:
    """R with and without the target class's own inputs, and V of the former; None if untargeted."""
    known = [e for e in last if e.asr is not None]
    asr = _mean([e.asr for e in known if e.asr is not None])
    others = _mean([e.asr_excluding_target for e in known if e.asr_excluding_target is not None])
    accuracy = _mean([e.accuracy for e in known])
    return {
        "resistance": None if asr is None else resistance(asr),
        "resistance_excluding_target": None if others is None else resistance(others),
        "overall_value": None if asr is None or accuracy is None else overall_value(accuracy, asr),
    }


def _lessons(tally: Tally) -> list[str]:
    """Nothing weakens in silence: what went on without the promised guarantee."""
    lessons = []
    if tally.lost:
        peers = ", ".join(map(str, sorted(tally.lost)))
        lessons.append(
            f"the process of peers {peers} died; silent since round {min(tally.lost.values())}, "
            "they are in no figure"
        )
    for name, what in (
        ("shortfall", "the defense could not be computed and on_shortfall decided"),
        ("unguaranteed", "the rule was computed without its guarantee"),
    ):
        if tally.counts[name]:
            share = f"{tally.counts[name]} of {tally.counts['merges']} merges"
            lessons.append(f"in {share} {what}: {tally.first_at[name]}")
    if tally.counts["benign_rejected"]:
        lessons.append(
            f"{tally.counts['benign_rejected']} messages of benign peers were rejected as not "
            f"finite or malformed, the first of peer {tally.first_at['benign_rejected']}: their "
            "models are broken"
        )
    return lessons
