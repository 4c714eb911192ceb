"""What a run will take, before it starts: memory, and processor seconds by what they go to.

A short calibration runs the scenario's own tasks some times at one benign peer, at one adversary
of each coalition and at the server, in this process: some steps of training on its data, a merge of
as many messages as it will have, an evaluation of some samples. That is counted up over all peers
and rounds. What Python and Ray cost around the tasks was measured once (the constants below) and is
scaled by how long a loop takes here. Processor seconds, since these say the same on a busy machine;
how long one waits follows from them only on an idle one.

Not foreseen: peers that are away, a budget that ends the run, defenses that cost more as they
remember more, and, of those that ask for the loss on a peer's own data, more than 600 samples.
Costs some seconds at most for a small network, and about 50 steps of training for any.
"""

import os
from dataclasses import asdict, dataclass
from time import process_time

from scenarios.build import Experiment
from scenarios.calibration import Calibration, taking_part
from scenarios.pace import evaluations_of, rounds_of

LOOP_S = 0.055
"""What :func:`_loop` took on the machine on which the following were measured."""
PROGRAM_S, REPORT_S = 3.2, 1.6
"""The program's start, with torch and a small data set; the report at the end."""
RAY_S, ACTOR_S = 4.0, 3.2
"""Ray's own processes; each actor's process, which imports torch."""
TASK_S, RAY_TASK_S, RAY_COPY_S = 0.0001, 0.0012, 0.4e-9
"""A task in this process; one at an actor, with all that Ray does for it; a byte of a message that
an actor gives or takes."""
RAY_IDLE, ACTOR_IDLE = 0.025, 0.008
"""What Ray's processes and an actor take of a core while they wait: all the time, so on a busy
machine, where a run takes longer, it takes more of this."""
MESSAGE_S = 15e-6
"""A message through the engine and into the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor seconds of a run."""

    startup_s: float
    train_s: float
    """Of one round, over all peers; so are the four below."""
    merge_s: float
    attack_s: float
    evaluate_s: float
    """On average: the last round's evaluation may be of more samples."""
    runtime_s: float
    """Events, messages, tasks, and the record."""
    end_s: float
    """The report."""
    rounds: int
    sent_bytes: int
    """Of one round, over all links."""
    at_once: int
    """Processes that can compute at the same time."""
    startup_wall_s: float
    idle_share: float
    """Of a core, that processes take which wait."""

    @property
    def round_s(self) -> float:
        """One round."""
        return self.train_s + self.merge_s + self.attack_s + self.evaluate_s + self.runtime_s

    @property
    def total_s(self) -> float:
        """The run."""
        working_s = self.startup_s + self.rounds * self.round_s + self.end_s
        return working_s + self.idle_share * self.wall_s

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        own = asdict(self)
        return own | {"round_s": self.round_s, "total_s": self.total_s, "wall_s": self.wall_s}

    @property
    def wall_s(self) -> float:
        """How long one waits where nothing else runs."""
        return self.startup_wall_s + self.rounds * self.round_s / self.at_once + self.end_s


def estimate(experiment: Experiment) -> Cost:
    """Calibrate, and count up.

    Raises:
        P2PFLError: If a peer's own code (a defense, an attack) fails, as it would in the run.
    """
    scenario, plan = experiment.scenario, experiment.plan
    took = Calibration(experiment)
    pace = _loop() / LOOP_S
    on_ray = scenario.runtime.executor == "ray"
    cores = os.cpu_count() or 1
    peers, rounds = taking_part(experiment), rounds_of(scenario, experiment.timing)
    trained, merged, crafted = took.rounds(peers)
    told = {p.peer: len(peers) - 1 if p.server else len(p.targets) for p in peers}
    messages = sum(told.values())
    sent_bytes = sum(experiment.message_bytes[peer] * count for peer, count in told.items())
    tasks = 2 * len(peers) + len(experiment.measured) * evaluations_of(scenario, rounds) / rounds
    runtime_s = MESSAGE_S * messages + (RAY_TASK_S if on_ray else TASK_S) * tasks
    if on_ray:
        runtime_s += RAY_COPY_S * sent_bytes
    actors_s = ACTOR_S * len(plan.actors) if on_ray else 0.0
    ray_s = RAY_S if on_ray else 0.0
    at_once = min(cores, len(plan.actors)) if on_ray else 1
    return Cost(
        startup_s=pace * (PROGRAM_S + ray_s + actors_s),
        train_s=trained,
        merge_s=merged,
        attack_s=crafted,
        evaluate_s=took.evaluations(rounds) / rounds,
        runtime_s=pace * runtime_s,
        end_s=pace * REPORT_S,
        rounds=rounds,
        sent_bytes=sent_bytes,
        at_once=at_once,
        startup_wall_s=pace * (PROGRAM_S + ray_s + actors_s / cores),
        idle_share=RAY_IDLE + ACTOR_IDLE * len(plan.actors) if on_ray else 0.0,
    )


def cost_lines(cost: Cost) -> list[str]:
    """For a terminal: what it takes, and what would take less."""
    parts = {
        "training": cost.train_s,
        "merging": cost.merge_s,
        "attacks": cost.attack_s,
        "evaluation": cost.evaluate_s,
        "messages and tasks": cost.runtime_s,
    }
    shares = ", ".join(f"{name} {_s(s)}" for name, s in parts.items() if s > 0)
    lines = [
        f"processor time, calibrated here: about {_s(cost.total_s)}: start-up "
        f"{_s(cost.startup_s)}, {cost.rounds} rounds of {_s(cost.round_s)}, report "
        f"{_s(cost.end_s)}; about {_s(cost.wall_s)} of waiting where nothing else runs",
        f"a round: {shares}; {cost.sent_bytes / 1e6:,.1f} MB sent",
    ]
    if cost.evaluate_s > 0.5 * cost.round_s and cost.rounds * cost.round_s > 10:
        lines.append(
            "advice: most of a round is evaluation; evaluate.peers, evaluate.samples or "
            "evaluate.every would make it less"
        )
    if cost.startup_s > 0.5 * cost.total_s and cost.at_once > 1:
        lines.append(
            "advice: most of the run is start-up; a larger runtime.peers_per_actor, or "
            "runtime.executor: inline, would make it less"
        )
    return lines


def _s(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _loop() -> float:
    """Processor seconds of a plain loop, the mean of three."""

    def once() -> float:
        began, total = process_time(), 0
        for i in range(1_000_000):
            total += i * i % 7
        return process_time() - began

    return (once() + once() + once()) / 3
