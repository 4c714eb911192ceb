"""The figures on top of the page, and what its reader is warned of."""

from statistics import fmean
from typing import Literal, NamedTuple

from scenarios.report.folder import RunFolder

_STATUS = {
    "running": "The run was under way when this page was made, or it was killed",
    "interrupted": "The run was interrupted before its end",
    "failed": "The run failed before its end",
}


class Figure(NamedTuple):
    """One headline figure."""

    name: str
    value: float | None
    """As the folder has it: a share in [0, 1], bytes, or seconds. None if nothing was measured."""
    unit: Literal["%", "MB", "s"]
    note: str

    @property
    def text(self) -> str:
        """For readers, with its unit."""
        if self.value is None:
            return "–"
        factor = {"%": 100.0, "MB": 1e-6, "s": 1.0}[self.unit]
        return f"{factor * self.value:,.1f} {self.unit}"


def headline(run: RunFolder) -> list[Figure]:
    """The headline figures, from the run's tables; times are from its summary."""
    wall = run.summary["wall_s"]
    return [
        *_models(run),
        *_judgement(run),
        Figure("Bytes sent", float(run.edges["bytes"].sum()) if run.edges else None, "MB",
               "of all messages, lost ones among them"),
        _time(run),
        Figure("Wall time", wall["total"], "s", f"{wall['startup']:.1f} s of it to start up"),
    ]  # fmt: skip


def _time(run: RunFolder) -> Figure:
    late = (run.summary.get("lateness") or {}).get("message")
    if run.summary.get("clock") != "real":
        note = "on the clocks of the peers"
        return Figure("Virtual time", run.summary["virtual_s"], "s", note)
    note = "nothing arrived" if late is None else f"messages late by {1000 * late['mean_s']:.0f} ms"
    return Figure("Real time", run.summary["virtual_s"], "s", note)


def _models(run: RunFolder) -> list[Figure]:
    """What the models that the run is about are worth, each at its last evaluation."""
    accuracy = run.last(run.metrics.get("accuracy"))
    judged = {peer: accuracy[peer] for peer in run.judged if peer in accuracy}
    mean = fmean(judged.values()) if judged else None
    if run.server is not None:
        figures = [Figure("Accuracy of the server's model", mean, "%", "on the test set, at last")]
    else:
        worst = min(judged, key=lambda peer: (judged[peer], peer), default=None)
        least = None if worst is None else judged[worst]
        which = "nothing was evaluated" if worst is None else f"peer {worst}"
        figures = [
            Figure("Accuracy, benign mean", mean, "%", f"{len(judged)} peers, on the test set"),
            Figure("Worst benign peer", least, "%", which),
        ]
    if run.success is not None:
        success = run.last(run.success)
        won = [success[peer] for peer in run.judged if peer in success]
        note = "backdoored inputs that get the adversary's class"
        figures.append(Figure("Attack success (ASR)", fmean(won) if won else None, "%", note))
    return figures


def _judgement(run: RunFolder) -> list[Figure]:
    """How well the adversaries were kept out, over all merges."""
    return [
        Figure(name, float(run.metrics[metric].value.mean()), "%", note)
        for metric, name, note in (
            ("adversary_influence", "Adversaries' influence", "on a merged model, mean of merges"),
            ("tpr", "Adversaries flagged (TPR)", "mean of merges; 100 % where none is heard"),
            ("fpr", "Benign flagged (FPR)", "mean of merges; 0 % where none is heard"),
        )
        if metric in run.metrics
    ]


def alarms(run: RunFolder) -> list[str]:
    """What a reader must know before the figures: a run cut short, lost guarantees, warnings."""
    summary = run.summary
    said = []
    if summary["status"] != "done":
        why = f": {summary['error']}" if summary["error"] else ""
        said.append(f"{_STATUS[summary['status']]}{why}. What follows is what was recorded.")
    return [*said, *summary["warnings"]]
