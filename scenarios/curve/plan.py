"""The ``curve`` section of a scenario: what ``p2pfl curve`` makes of its sweep.

::

    sweep:
      defense: [{kind: gossip_average}, {kind: rule, rule: {kind: median}}]
      adversaries.count: {from: 0, to: 8}
      seed: {from: 1, to: 5}
    curve: {over: adversaries.count, against: hostile_share_mean}
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.covariates import COVARIATES
from scenarios.loader import Draft
from scenarios.reader import BAD, Reader, did_you_mean

RISES = ("asr",)
"""Results that are better low."""
FALLS = (
    "accuracy", "benign_mean", "benign_worst", "benign_not_dominated", "benign_dominated",
)  # fmt: skip
"""Accuracies, which are better high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePlan:
    """What is drawn against what, and what counts as broken."""

    over: str | None = None
    """The axis of the sweep that goes across, by its key or name; null: the only one of numbers
    that is no seed."""
    against: str | None = None
    """Draw its values where they put this one of the graph's numbers (see ``p2pfl check`` and
    results.csv), such as ``hostile_share_mean``; null: at the values themselves."""
    figures: tuple[str, ...] = ("accuracy", "asr")
    """Which results, each on a chart of its own: columns of results.csv that are accuracies or ASR.
    What no run has is left out."""
    halfway: float = 0.5
    """A defense breaks where its accuracy falls below ``local_only`` plus this share of
    ``benign_only - local_only``, in [0, 1]; 0.5 is where ``works`` ends."""
    success: float = 0.5
    """It breaks where the ASR rises above this share, in [0, 1]."""

    def __post_init__(self) -> None:
        if self.against is not None and self.against not in COVARIATES:
            raise ValueError(
                f"against must be one of {', '.join(COVARIATES)}, got {self.against!r}"
                + did_you_mean(self.against, COVARIATES)
            )
        known = (*FALLS, *RISES)
        for figure in self.figures:
            if figure not in known:
                raise ValueError(f"figures may be {', '.join(known)}, got {figure!r}")
        if not self.figures or len(set(self.figures)) < len(self.figures):
            raise ValueError(f"figures must be one or more, each once, got {list(self.figures)}")
        for name, share in (("halfway", self.halfway), ("success", self.success)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {share}")


def read_plan(draft: Draft, sets: Sequence[str] = ()) -> CurvePlan:
    """The section of a draft, or its defaults.

    Raises:
        ScenarioError: If it is wrong; says where.
    """
    if "curve" not in draft.tree:
        return CurvePlan()
    reader = Reader((), draft.path.parent)
    plan = reader.read(CurvePlan, draft.tree["curve"], ("curve",))
    if plan is BAD or reader.problems:
        first = reader.problems[0]
        raise draft.wrong(first.place, first.text, sets)
    found: CurvePlan = plan
    return found
