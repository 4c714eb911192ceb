"""One merge of one peer under GPD: from what came to the next model and the next record."""

from collections.abc import Collection, Mapping
from math import fsum, inf, isfinite, nan
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from p2pfl.defenses.gpd_evidence import Evidence
from p2pfl.defenses.gpd_flows import Flow, added, mixed, settled
from p2pfl.defenses.gpd_memory import Memory
from p2pfl.defenses.gpd_record import Record
from p2pfl.defenses.gpd_state import GpdState
from p2pfl.defenses.gpd_verdict import (
    appealed,
    checked,
    evidence,
    excluding,
    is_due,
    next_window,
)
from p2pfl.defenses.gpd_wires import compared, rows, sign, sums
from p2pfl.defenses.mixing import float32
from p2pfl.defenses.sketch import Sketch, norms, sketch
from p2pfl.rules.sums import weighted_sum
from p2pfl.types import Merge, Neighbourhood, Vector

if TYPE_CHECKING:
    from p2pfl.defenses.gpd import Gpd

EXCLUDES = "excludes:{}"
"""The notice in a message's meta, with the id of the neighbour that it concerns."""

_SMALL = 1e-8
"""Counts as the length of an own gradient that is 0."""


class Step:
    """The work of one merge. Rows of the view go by their place in it, neighbours by their id."""

    def __init__(self, gpd: "Gpd", view: Neighbourhood, state: GpdState) -> None:
        self._gpd, self._view, self._state = gpd, view, state
        self._p = view.model.layout.p
        self._judges = gpd.judge.judges
        self._own = view.own
        if not gpd.early and not _finite(view.own[: self._p]):
            self._own = view.start  # a local step that diverged is none
        # Where peers go their own pace, their rounds cannot be compared: what comes is of now.
        self._now = view.round if view.merge is None else view.merge
        self._ages = view.staleness if view.merge is None else (0,) * len(view.senders)
        self._rounds = [self._now - age for age in self._ages]
        self._weights = [gpd.gain * weight for weight in view.mixing]
        self._here = compared(gpd.wire, view.start, self._own, state.initial)
        self._memory = state.memory.with_own(self._now, self._here)
        # Looked up only where it is asked for: it may be a copy.
        last = self._memory.lasts(view.senders) if gpd.wire == "gradient" else view.received
        self._rows = rows(gpd.wire, view.received, last)
        step = (
            view.own[: self._p] - view.start[: self._p] if self._judges else view.own.new_zeros(1)
        )
        self._local_step = float(torch.linalg.vector_norm(step))

    def merged(self) -> tuple[Merge, GpdState]:
        """What was decided, and the next state."""
        gpd, view, state = self._gpd, self._view, self._state
        notice = EXCLUDES.format(view.me)
        told = [self._judges and meta.get(notice, 0) > 0 for meta in view.meta]
        record = state.record.heard(view.senders, self._weights, told, self._ages)
        if self._judges and gpd.readmit != "off":
            record = appealed(record, self._accusers(), self._now, gpd.first_window, gpd.appeals)
        live = record.live()
        record, fresh, refused, lengths = self._recorded(record, live)
        if self._judges and view.rejected:
            record = record.met(view.rejected)
            refused |= set(view.rejected)
        found = evidence(record) if is_due(record, self._now, gpd.memory) else None
        record, flagged = self._judged(record, found, refused)
        record = record.pruned(self._now, gpd.memory)
        remain = live - flagged
        sound = [k for k in fresh if view.senders[k] not in refused]
        parameters = self._mixed(record, fresh, sound, live, flagged)
        kept = state.kept
        if gpd.mitigation != "purify" or gpd.readmit == "anew":
            corrections, kept = settled(
                gpd.mitigation,
                gpd.readmit == "anew",
                kept,
                live=self._flows(record, sound, remain),
                cut=self._flows(record, sound, live & flagged),
                hostile=flagged,
                out=set(record.edges) - remain,
                returned=remain & state.out,
            )
            for correction in corrections:
                parameters = parameters + correction
        shares = {k: self._weights[k] for k in sound if view.senders[k] in remain}
        excluded = [sender for sender, edge in record.edges.items() if edge.excluded]
        merge = Merge(
            model=self._with_buffers(parameters, shares),
            influence=view.own.new_tensor([shares.get(k, 0.0) for k in range(len(view.senders))]),
            flagged=tuple(s for s in view.senders if s in excluded) if self._judges else None,
            notes={
                "live": float(len(remain)),
                "excluded": float(len(excluded)),
                "told": float(sum(edge.told for edge in record.edges.values())),
                "check": float(found is not None),
            },
            details=self._details(record, found, remain, lengths) if self._judges else {},
        )
        after = GpdState(
            initial=state.initial,
            origin=state.origin,
            record=record,
            memory=self._remembered(record, sound),
            kept=kept,
            out=frozenset(record.edges) - remain,
        )
        return merge, after

    def _accusers(self) -> set[int]:
        """Who says in its message that it excludes somebody."""
        told = zip(self._view.senders, self._view.meta, strict=True)
        any_ = EXCLUDES.format("")
        return {s for s, meta in told if any(k.startswith(any_) and meta[k] > 0 for k in meta)}

    # ------------------------------------------------------------ the record and the verdict

    def _recorded(
        self, record: Record, live: set[int]
    ) -> tuple[Record, list[int], set[int], list[float]]:
        """The record with what came, the rows of use, who sent what the guard refuses, and how far
        each neighbour is from this peer."""
        gpd, view, origin = self._gpd, self._view, self._state.origin
        own, came = self._sketches()
        last, senders = record.newest.total, list(view.senders)
        fresh = list(range(len(senders)))
        if gpd.early:
            total = sums(gpd.wire, own, last, origin)
            record = record.with_own(self._now, total, self._local_step)
            fresh = [k for k in fresh if record.usable(senders[k], self._rounds[k])]
            some = [senders[k] for k in fresh]
            totals = sums(gpd.wire, came, record.sums_of(senders), origin)
            totals = totals if len(fresh) == len(totals) else totals[fresh]
            rounds = [self._rounds[k] for k in fresh]
            # Who goes its own pace may not have merged since, or with others.
            news = record.news(some, rounds, totals, mixing=view.merge is None)
            length = self._own_length(record)
        else:
            weights = [w * (s in live) for w, s in zip(self._weights, senders, strict=True)]
            total = last + own + np.array(weights) @ (came - own)
            record = record.with_own(self._now, total, self._local_step)
            news = record.news_of_a_round(senders, self._now, came, own)
            length = float(np.sqrt(own @ own))
        limit = gpd.guard * max(length, _SMALL) if self._judges else inf
        record, refused = record.taken(news, limit)
        pulls = dict(zip(news.senders, norms(news.pull).tolist(), strict=True))
        return record, fresh, refused, [pulls.get(sender, 0.0) for sender in senders]

    def _sketches(self) -> tuple[Sketch, Sketch]:
        """(s,) of the own message, and (m, s) of those that came."""
        gpd, view, size = self._gpd, self._view, len(self._state.origin)
        if not self._judges:
            return np.zeros(0), np.zeros((len(view.senders), 0))
        if view.own_prepared:
            own, made = view.own_prepared["sketch"], [of["sketch"] for of in view.prepared]
        else:
            message = view.start if gpd.wire == "model" else self._here
            if gpd.wire == "gradient":
                message = message - self._state.memory.newest_own
            vectors = [vector[: self._p].cpu().numpy() for vector in (message, *view.received)]
            own, *made = [sketch(vector, gpd.sketch) for vector in vectors]
        return own, np.array(made).reshape(len(made), size)

    def _own_length(self, record: Record) -> float:
        """The length of an own gradient, for the guard; infinite where none is known."""
        if self._view.merge is not None:
            # Between two merges there may have been no step at all: the longest that is remembered.
            return max(own.step for own in record.own.values()) or inf
        # Before the first round no aggregated gradient is known.
        return record.newest.step if self._now > record.first else self._local_step

    def _judged(
        self, record: Record, found: Evidence | None, refused: set[int]
    ) -> tuple[Record, set[int]]:
        """The record with the verdicts of this round, and who is excluded by them."""
        gpd = self._gpd
        flagged = {sender for sender in refused if not record.edges[sender].excluded}
        if found is not None:
            most = 0 if gpd.readmit == "off" else gpd.readmissions
            record, suspects = checked(record, found, gpd.judge, refused, most)
            record = next_window(record, found.senders, self._now + gpd.pause, gpd.window)
            flagged |= suspects
        return excluding(record, flagged), flagged

    # ------------------------------------------------------------ the model

    def _mixed(
        self, record: Record, fresh: list[int], sound: list[int], live: set[int], flagged: set[int]
    ) -> Float[Tensor, " p"]:
        """The local step, and the inflow over the edges that remain."""
        if not live & flagged:
            silent = live - {self._view.senders[k] for k in fresh} if self._goes_on else set()
            total = self._by_rows(fresh, live)
            if flows := self._flows(record, [], silent):
                total = added(total, flows).float()
            if _finite(total):
                return total
        # Rare: somebody is cut off now, or a number left float32, or the local step diverged.
        own = self._own if _finite(self._own[: self._p]) else self._view.start
        return float32(added(own[: self._p], self._flows(record, sound, live - flagged)))

    def _by_rows(self, fresh: list[int], live: set[int]) -> Float[Tensor, " p"]:
        """The own model and what the rows bring, those of one round in one pass."""
        groups: dict[int, list[int]] = {}
        for k in fresh:
            groups.setdefault(id(self._compared(k)), []).append(k)
        total = self._own[: self._p]
        for some in groups.values():
            matrix = self._rows if len(some) == len(self._rows) else self._rows[some]
            weights = [self._weight(k) * (self._view.senders[k] in live) for k in some]
            here = self._compared(some[0])[: self._p]
            total = mixed(total, matrix[:, : self._p], here, weights)
        return total

    @property
    def _goes_on(self) -> bool:
        """Whether of a neighbour that is not heard the last difference goes on flowing: where peers
        go their own pace, not to be heard is no loss."""
        return self._gpd.early and self._view.merge is None

    def _compared(self, k: int) -> Vector:
        """(d,) the own vector of a row's round."""
        return self._memory.own_at(self._rounds[k]) if self._gpd.early else self._here

    def _weight(self, k: int) -> float:
        return sign(self._gpd.wire) * self._weights[k]

    def _flows(self, record: Record, some: list[int], senders: Collection[int]) -> list[Flow]:
        """From these neighbours: by some rows, else by what is remembered of them."""
        p, view, memory = self._p, self._view, self._memory
        flows = {}
        for k in some:
            if view.senders[k] in senders:
                there, here = self._rows[k, :p], self._compared(k)[:p]
                flows[view.senders[k]] = Flow(view.senders[k], there, here, self._weight(k))
        for sender in senders if self._goes_on else ():
            edge, last = record.edges[sender], memory.last(sender)
            if sender in flows or last is None or edge.newest is None:
                continue
            if edge.newest > self._now - self._gpd.memory:
                weight = sign(self._gpd.wire) * edge.weight
                flows[sender] = Flow(sender, last[:p], memory.own_at(edge.newest)[:p], weight)
        return [flows[sender] for sender in sorted(flows)]

    def _with_buffers(self, parameters: Float[Tensor, " p"], shares: Mapping[int, float]) -> Vector:
        """With the running statistics, averaged by the shares; with own gradients, the own."""
        own = self._own[self._p :]
        if not len(own):
            return parameters
        if self._gpd.early:
            some = self._rows[list(shares), self._p :]
            if self._gpd.wire != "model":
                some = self._state.initial[self._p :] - some
            own = own if _finite(own) else self._view.start[self._p :]
            own = weighted_sum([own, *some], [1 - fsum(shares.values()), *shares.values()])
        return torch.cat([parameters, own])

    # ------------------------------------------------------------ what is kept and told

    def _remembered(self, record: Record, sound: list[int]) -> Memory:
        """The vectors that later rounds may need, given the record that is kept."""
        gpd, view = self._gpd, self._view
        keeps_all, since = gpd.wire == "gradient", self._now - gpd.memory
        some = sound if keeps_all or (gpd.early and gpd.memory > 1) else []
        return self._memory.updated(
            heard=[view.senders[k] for k in some],
            rows=self._rows if len(some) == len(self._rows) else self._rows[some],
            needed={
                sender
                for sender, edge in record.edges.items()
                if keeps_all or (edge.newest is not None and edge.newest > since)
            },
            rounds={round_ for round_ in record.own if round_ > since},
        )

    def _details(
        self, record: Record, found: Evidence | None, remain: set[int], lengths: list[float]
    ) -> dict[str, list[float]]:
        """Per row; not a number where a neighbour could not be judged."""
        senders = self._view.senders
        live = [float(sender in remain) for sender in senders]
        details = {
            "recorded": norms(record.sums_of(senders)).tolist(),
            "live": live,
            "inflow": [w * x * on for w, x, on in zip(self._weights, lengths, live, strict=True)],
        }
        if found is not None:
            for name, of in (
                ("chi", found.chi),
                ("ratio", found.ratio),
                ("cosine", found.cosine),
                ("pull", found.pull),
                ("answer", found.answer),
                ("persistence", found.persistence),
                ("reach", found.reach),
            ):
                known = dict(zip(found.senders, of, strict=True))
                details[name] = [known.get(sender, nan) for sender in senders]
        return details


def _finite(vector: Vector) -> bool:
    # The quick sum may overflow where no term did.
    return isfinite(float(vector.sum())) or bool(vector.isfinite().all())
