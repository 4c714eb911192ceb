"""What a run has counted and measured so far: all that its summary is made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from actors.host import Evaluated
from p2pfl.learner.decision import Decision
from p2pfl.learner.evaluation import Success
from p2pfl.metrics import FlagRates, flag_rates
from scenarios.roles import Roles


class Tally:
    """Counts and last figures. Plain data, so that a run can go on from it."""

    def __init__(self, roles: Sequence[str] = ()) -> None:
        """Begin with nothing; ``roles`` are those of the beginning, by peer."""
        self.counts: Counter[str] = Counter()
        """How often each event was, by its name."""
        self.final: dict[int, Evaluated] = {}
        """The last evaluation of each peer."""
        self.curve: dict[int, dict[int, tuple[float, Success | None]]] = {}
        """Accuracy and a backdoor's success by peer, by round in which they were measured."""
        self.done: dict[int, int] = {}
        """The last round that each peer has finished."""
        self.lost: dict[int, int] = {}
        """Peers whose process died, and the round of the first result that did not come."""
        self.first_at: dict[str, str] = {}
        """The first of what the summary warns of."""
        self.evaluate_s = 0.0
        self.rates: list[FlagRates] = []
        """Of each merge of a benign peer, if the defense judges."""
        self.influence: list[float] = []
        """Share of adversaries in each merge of a benign peer."""
        self.arrived: Counter[tuple[int, int]] = Counter()
        """Messages that merges took, by sender and peer."""
        self.rejected: Counter[tuple[int, int]] = Counter()
        """Messages that merges found malformed, by sender and peer."""
        self.roles = Roles(roles)
        """Who observes the run keeps them up to date."""
        self._hostile = "adversary" in roles
        self._judged: dict[int, Counter[str]] = {}

    def state(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {
            "counts": dict(self.counts),
            "roles": self.roles.state(),
            "final": self.final,
            "curve": self.curve,
            "done": self.done,
            "lost": self.lost,
            "judged": {round_: dict(of) for round_, of in self._judged.items()},
            "first_at": self.first_at,
            "evaluate_s": self.evaluate_s,
            "rates": self.rates,
            "influence": self.influence,
            "accepted": dict(self.arrived),
            "rejected": dict(self.rejected),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` gave."""
        self.counts = Counter(state["counts"])
        self.roles.restore(state["roles"])
        self.final = state["final"]
        self.curve = state["curve"]
        self.done = state["done"]
        self.lost = state["lost"]
        self._judged = {round_: Counter(of) for round_, of in state["judged"].items()}
        self.first_at = state["first_at"]
        self.evaluate_s = state["evaluate_s"]
        self.rates = state["rates"]
        self.influence = state["influence"]
        self.arrived = Counter(state["accepted"])
        self.rejected = Counter(state["rejected"])

    def lose(self, peer: int, round_: int) -> None:
        """A peer's process died."""
        self.lost.setdefault(peer, round_)
        self.final.pop(peer, None)

    def evaluated(self, peer: int, round_: int, content: Evaluated) -> None:
        """A peer's model was measured."""
        self.final[peer] = content
        evaluation = content.evaluation
        self.curve.setdefault(round_, {})[peer] = evaluation.accuracy, evaluation.success
        self.evaluate_s += content.seconds

    def received(self, peer: int, round_: int, decision: Decision) -> None:
        """What a merge took, found missing, and rejected."""
        for sender in decision.senders:
            self.arrived[sender, peer] += 1
        for sender in decision.missing:
            self.lose(sender, round_)
        for sender in decision.rejected:
            self.rejected[sender, peer] += 1
            if self.roles.of(sender, round_) == "benign":
                self.counts["benign_rejected"] += 1
                self.first_at.setdefault("benign_rejected", f"{sender} in round {round_}")

    def judged(self, round_: int, decision: Decision) -> dict[str, float]:
        """Count a benign peer's merge. Gives what adversaries have of it, and how well it told them
        from benign senders; nothing where nobody is hostile."""
        self.counts["merges"] += 1
        if decision.unguaranteed is not None:
            self.counts["unguaranteed"] += 1
            self.first_at.setdefault("unguaranteed", decision.unguaranteed)
        if decision.shortfall is not None:
            self.first_at.setdefault("shortfall", decision.shortfall)
        roles = self.sent_as(round_, decision)
        hostile = {
            s for s, role in zip(decision.senders, roles, strict=True) if role == "adversary"
        }
        self._count_accepted(round_, decision, hostile)
        if not self._hostile:
            return {}
        by_sender = zip(decision.senders, decision.influence, strict=True)
        values = {"adversary_influence": fsum(x for k, x in by_sender if k in hostile)}
        self.influence.append(values["adversary_influence"])
        if decision.flagged is not None:
            rates = flag_rates(decision.senders, decision.flagged, hostile)
            values |= rates._asdict()
            self.rates.append(rates)
        return values

    def sent_as(self, round_: int, decision: Decision) -> list[str]:
        """The role of each sender when it sent."""
        sent = zip(decision.senders, decision.staleness, strict=True)
        return [self.roles.of(sender, round_ - stale) for sender, stale in sent]

    def _count_accepted(self, round_: int, decision: Decision, hostile: set[int]) -> None:
        """Whose models had a share in the result."""
        judged = self._judged.setdefault(round_, Counter())
        for sender, share in zip(decision.senders, decision.influence, strict=True):
            role = "adversary" if sender in hostile else "benign"
            judged[f"{role}_rows"] += 1
            judged[f"{role}_rows_accepted"] += share > 0

    def accepted(self, rounds: int) -> Counter[str]:
        """Rows of benign peers and of adversaries, and those that had a share in a result.

        In the second half of so many rounds.
        """
        late = (judged for round_, judged in self._judged.items() if 2 * round_ > rounds)
        return sum(late, Counter())
