"""The charts of the report, one by one: for notebooks."""

from dataclasses import dataclass
from typing import Literal, TypeVar

from p2pfl.errors import ScenarioError
from scenarios.report.charts import Chart
from scenarios.report.decisions import decision_map
from scenarios.report.folder import RunFolder, Series
from scenarios.report.learning import Over, curves
from scenarios.report.spread import by_influence, by_round

ASR = "attack success (ASR)"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Plots:
    """Figures of Plotly, made by the code that makes those of report.html."""

    run: RunFolder

    def accuracy(self, over: Over = "round") -> Chart:
        """Test accuracy over rounds, or over virtual ``time``: each peer, and means by role."""
        return curves(self.run, self._accuracy(), "test accuracy", over)

    def asr(self, over: Over = "round") -> Chart:
        """How often a backdoor succeeds, as :meth:`accuracy`."""
        return curves(self.run, self._success(), ASR, over)

    def graph(self, by: Literal["accuracy", "asr"] = "accuracy") -> Chart:
        """The graph with its roles, and a slider over the rounds.

        Of a server's clients the colour is their share in its model.
        """
        if self.run.server is not None:
            return _there(by_influence(self.run), "the server merged nothing")
        if by == "asr":
            return by_round(self.run, self._success(), ASR)
        return by_round(self.run, self._accuracy(), "test accuracy")

    def decisions(self) -> Chart:
        """Who listened to whom, and who was flagged, with a slider over the rounds."""
        absent = "nothing was merged, or the run has too many peers for a map"
        return _there(decision_map(self.run), absent)

    def _accuracy(self) -> Series:
        return _there(self.run.metrics.get("accuracy"), "no model was evaluated")

    def _success(self) -> Series:
        return _there(self.run.success, "no attack of this run aims at a class")


def _there(found: _T | None, absent: str) -> _T:
    if found is None:
        raise ScenarioError(f"there is nothing to draw: {absent}")
    return found
