"""What a peer under GPD records of its neighbours: the sum of all gradients that came from each.

A gradient is what it did to a model, in units of weights, so that no learning rate is needed. All
vectors here are sketches, since of the record only norms and inner products are asked for.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from p2pfl.defenses.sketch import Sketch, dots, norms


class Edge(NamedTuple):
    """What a peer knows of one neighbour, vectors apart."""

    newest: int | None = None
    """The neighbour's round up to which its sum is known."""
    since: int | None = None
    """The round after which its window begins; None before that."""
    energy: float = 0.0
    """q_ij: the squared differences to the own gradients, summed over this window."""
    seen: int = 0
    """Rounds of this window that are known."""
    used: int = 0
    """Those of them in which the edge was in use."""
    came: float = 0.0
    """How far its steps brought it along the way to this peer, summed over this window."""
    owed: float = 0.0
    """How far they would have if it did nothing but mix."""
    kept_on: float = 0.0
    """The cosines between each gradient of one round and the one before, summed over this window,
    where both are known by themselves ..."""
    pairs: int = 0
    """... and how many these are."""
    stepped: bool = False
    """Whether its last gradient is known, by itself."""
    weight: float = 0.0
    """Its share in the mix."""
    excluded: bool = False
    """Whether this peer has cut the edge."""
    told: bool = False
    """Whether the neighbour's newest message says that it has."""
    owes: float = 0.0
    """Weight with which it mixes what this peer sent when it was last heard; 0: not at all."""
    clean: int = 0
    """Checks in a row at which it looked benign while it was excluded."""
    readmitted: int = 0
    appeals: int = 0
    """Times that it was taken back because it excludes others itself."""

    @property
    def live(self) -> bool:
        """Whether the edge is in use."""
        return not (self.excluded or self.told)

    @property
    def judged(self) -> bool:
        """Whether a check concerns it: while the edge is in use, and if it was for half of the
        window. A notice just before a check saves nobody."""
        return not self.excluded and (not self.told or 2 * self.used >= max(1, self.seen))

    def unseen(self) -> "Edge":
        """At the end of a window."""
        return self._replace(
            since=None, energy=0.0, seen=0, used=0, came=0.0, owed=0.0, kept_on=0.0, pairs=0
        )

    def answered(self, came: float, apart: float) -> tuple[float, float]:
        """How far it came and would have, with its steps since it was last heard, if it was to mix.

        One mix is owed, however long that was: it may have heard as little of this peer.
        """
        if self.excluded or not self.owes:
            return self.came, self.owed
        return self.came + came, self.owed + self.owes * apart

    def went_on(self, cosine: float) -> tuple[float, int]:
        """The cosines and how many, with that of its gradient of one round and the last; not a
        number if one of them is 0."""
        if not self.stepped or isnan(cosine):
            return self.kept_on, self.pairs
        return self.kept_on + cosine, self.pairs + 1


class Own(NamedTuple):
    """The peer's own aggregated gradients up to a round."""

    total: Sketch
    """H_ii, their sum."""
    energy: float
    """The sum of their squared norms."""
    steps: float
    """The same of the peer's local steps alone."""
    kept_on: float
    """The sum of the cosines between each and the one before ..."""
    pairs: int
    """... and how many these are, but for gradients of 0."""
    last: Sketch
    """The last of them."""

    @property
    def step(self) -> float:
        """Norm of the last."""
        return float(np.sqrt(self.last @ self.last))


class News(NamedTuple):
    """What some messages add to the record, one row for each."""

    senders: Sequence[int]
    rounds: Sequence[int]
    """Up to which of the sender's rounds."""
    sums: Sketch
    """(m, s) all gradients of the sender so far."""
    sent: Sketch
    """(m, s) the new ones among them, summed."""
    own: Sketch
    """(m, s), or (1, s) if all alike: the peer's own of the same rounds, summed."""
    energy: Sequence[float]
    """The squared norms of the own ones, summed."""
    spans: Sequence[int]
    """How many rounds that is."""
    pull: Sketch
    """(m, s) how far the sender's model is behind the peer's in that round: H_ij - H_ii."""
    came: Sequence[float]
    """How far they go along the way to this peer, H_ii - H_ij of before."""
    apart: Sequence[float]
    """The length of that way; both are 0 of whom it is not asked whether it mixes."""
    alone: Sequence[bool]
    """Whether the new ones are the gradient of one round, of whom it is asked."""


class Record(NamedTuple):
    """The recording variables of one peer, and its detection windows."""

    first: int
    """This peer's first round. Before it all sums are 0."""
    edges: Mapping[int, Edge]
    """By neighbour, of all that were ever heard. The matrices have their rows in this order."""
    sums: Sketch
    """(n, s) H_ij: all gradients that came from j."""
    base: Sketch
    """(n, s) the same where the neighbour's window begins."""
    pulls: Sketch
    """(n, s) H_ij - H_ii, summed over the rounds of the window."""
    last: Sketch
    """(n, s) the newest gradient of each, where it is known by itself."""
    own: Mapping[int, Own]
    """By round, ascending, those that are needed."""
    opens: int
    """Round from which on windows may begin."""
    due: int
    """Round of the next check, if enough is known by then."""
    length: int
    """Rounds of a window up to it."""
    short: bool = True
    """Whether that is a short window, as the first."""
    checks: int = 0
    age: int = 0
    """The largest age of a message so far, in rounds."""

    @classmethod
    def begun(cls, first: int, length: int, due: int, size: int) -> "Record":
        """Nobody heard yet."""
        nothing, before = np.zeros((0, size)), Own(np.zeros(size), 0.0, 0.0, 0.0, 0, np.zeros(size))
        return cls(
            first=first, edges={}, sums=nothing, base=nothing, pulls=nothing, last=nothing,
            own={first - 1: before}, opens=first - 1, due=due, length=length,
        )  # fmt: skip

    @property
    def newest(self) -> Own:
        """The own gradients up to the last round."""
        return self.own[max(self.own)]

    def own_within(self, edge: Edge) -> tuple[Own, Own]:
        """The own gradients up to where a neighbour's window begins, and up to what is known."""
        assert edge.since is not None
        assert edge.newest is not None
        since, newest = (max(round_, self.first - 1) for round_ in (edge.since, edge.newest))
        return self.own[since], self.own[newest]

    def places(self, senders: Sequence[int]) -> list[int]:
        """The rows of some neighbours."""
        where = {sender: place for place, sender in enumerate(self.edges)}
        return [where[sender] for sender in senders]

    def live(self) -> set[int]:
        """Neighbours whose edges are in use."""
        return {sender for sender, edge in self.edges.items() if edge.live}

    def judged(self) -> set[int]:
        """Neighbours whom a check concerns."""
        return {sender for sender, edge in self.edges.items() if edge.judged}

    def sums_of(self, senders: Sequence[int]) -> Sketch:
        """(m, s) all gradients of some neighbours."""
        return self._of(self.sums, senders)

    # ------------------------------------------------------------ what comes in

    def met(self, senders: Sequence[int]) -> "Record":
        """With a row for each of them: of a newcomer nothing is recorded yet."""
        since = self.opens if self.checks == 0 else None
        edges = {s: Edge(since=since) for s in senders if s not in self.edges}
        if not edges:
            return self
        new = np.zeros((len(edges), self.sums.shape[1]))
        sums, base, pulls, last = (
            np.concatenate([matrix, new])
            for matrix in (self.sums, self.base, self.pulls, self.last)
        )
        return self._replace(
            edges={**self.edges, **edges}, sums=sums, base=base, pulls=pulls, last=last
        )

    def heard(
        self,
        senders: Sequence[int],
        weights: Sequence[float],
        told: Sequence[bool],
        ages: Sequence[int],
    ) -> "Record":
        """With what their messages say beside the vectors."""
        record = self.met(senders)
        edges = dict(record.edges)
        for sender, weight, cut in zip(senders, weights, told, strict=True):
            edge = edges[sender]
            if (edge.weight, edge.told) != (weight, cut):
                edges[sender] = edge._replace(weight=weight, told=cut)
        return record._replace(edges=edges, age=max(self.age, *ages, 0))

    def with_own(self, round_: int, total: Sketch, local: float) -> "Record":
        """With the own sum up to this round, the newest, and the length of its local step."""
        last = self.newest
        step = total - last.total
        square = float(step @ step)
        [cosine] = _cosines([float(step @ last.last)], [square], [last.step**2])
        known = not isnan(cosine)
        kept_on = last.kept_on + (cosine if known else 0.0)
        steps = last.steps + local**2
        now = Own(total, last.energy + square, steps, kept_on, last.pairs + known, step)
        return self._replace(own={**self.own, round_: now})

    def usable(self, sender: int, round_: int) -> bool:
        """Whether a message of that round is newer than what is known, and not too old."""
        newest = self.edges[sender].newest
        known = round_ in self.own or round_ < self.first
        return known and (newest is None or round_ > newest)

    def _begin(self, sender: int) -> int:
        newest = self.edges[sender].newest
        return self.first - 1 if newest is None else max(newest, self.first - 1)

    def news(
        self, senders: Sequence[int], rounds: Sequence[int], sums: Sketch, *, mixing: bool
    ) -> News:
        """Of usable messages that bring the sums (m, s) up to these rounds.

        With ``mixing``, who keeps to the rules mixed this peer's model of the round before. That
        is asked of messages of this round alone: where they are late, the neighbour hears late as
        well, and moves towards where this peer was.
        """
        begins = [self._begin(sender) for sender in senders]
        ends = [max(round_, self.first - 1) for round_ in rounds]
        before, now = [self.own[k] for k in begins], [self.own[k] for k in ends]
        size = sums.shape[1]
        total, start = (_rows([own.total for own in some], size) for some in (now, before))
        known = self.sums_of(senders)
        sent, way = sums - known, start - known
        spans = [max(1, end - begin) for begin, end in zip(begins, ends, strict=True)]
        asked = [mixing and round_ == max(self.own) for round_ in rounds]
        apart = norms(way) * np.array(asked, dtype=np.float64)
        came = np.divide(dots(sent, way), apart, out=np.zeros_like(apart), where=apart > 0)
        return News(
            senders=senders,
            rounds=rounds,
            sums=sums,
            sent=sent,
            own=total - start,
            energy=[n.energy - b.energy for b, n in zip(before, now, strict=True)],
            spans=spans,
            pull=sums - total,
            came=came.tolist(),
            apart=apart.tolist(),
            alone=[is_ and span == 1 for is_, span in zip(asked, spans, strict=True)],
        )

    def news_of_a_round(
        self, senders: Sequence[int], round_: int, sent: Sketch, local: Sketch
    ) -> News:
        """Of gradients (m, s) of this round alone, to be compared with the peer's (s,) ``local``.

        For the rounds before it, in which nothing came, the own ones are put into the sum, where
        they say nothing.
        """
        *_, before, now = self.own.values()
        known = [self.own[self._begin(sender)].total for sender in senders]
        missed = before.total - _rows(known, sent.shape[1])
        return News(
            senders=senders,
            rounds=[round_] * len(senders),
            sums=self.sums_of(senders) + missed + sent,
            sent=sent,
            own=(now.total - before.total)[None],
            energy=[now.step**2] * len(senders),
            spans=[1] * len(senders),
            pull=sent - local,
            came=[0.0] * len(senders),
            apart=[0.0] * len(senders),
            alone=[False] * len(senders),
        )

    def taken(self, news: News, limit: float) -> tuple["Record", set[int]]:
        """With the news, but for the senders of gradients longer than the limit: who they are.

        The sum over several rounds is spread evenly over them.
        """
        apart = news.sent - news.own
        squares = dots(news.sent, news.sent).tolist()
        last = self._of(self.last, news.senders)
        cosines = _cosines(dots(news.sent, last).tolist(), squares, dots(last, last).tolist())
        # |m / n - y_s|^2 summed over the n rounds of y: only the sums of m and y are known.
        excess = (dots(apart, apart) - dots(news.own, news.own)).tolist()
        edges, took, counted, opened = dict(self.edges), [], [], []
        for k, sender in enumerate(news.senders):
            edge, round_, span = edges[sender], news.rounds[k], news.spans[k]
            if squares[k] > (limit * span) ** 2:
                continue
            took.append(k)
            live, alone = edge.live, news.alone[k]
            changed: dict[str, Any] = {
                "newest": round_,
                "owes": edge.weight if live else 0.0,
                "stepped": alone,
            }
            if edge.since is not None:
                counted.append(k)
                came, owed = edge.answered(news.came[k], news.apart[k])
                kept_on, pairs = edge.went_on(cosines[k] if alone else nan)
                energy = edge.energy + max(0.0, news.energy[k] + excess[k] / span)
                changed |= {
                    "energy": energy, "seen": edge.seen + span, "used": edge.used + span * live,
                    "came": came, "owed": owed, "kept_on": kept_on, "pairs": pairs,
                }  # fmt: skip
            elif round_ >= self.opens:
                opened.append(k)
                changed["since"] = round_
            edges[sender] = edge._replace(**changed)
        every = range(len(news.senders))
        after = self._replace(
            edges=edges,
            sums=self._with_rows(self.sums, news, took, news.sums),
            base=self._with_rows(self.base, news, opened, news.sums),
            pulls=self._with_rows(self.pulls, news, counted, self._more_pulls(news)),
            last=self._with_rows(self.last, news, took, news.sent),
        )
        return after, {news.senders[k] for k in every if k not in took}

    def _more_pulls(self, news: News) -> Sketch:
        pull = news.pull
        if max(news.spans, default=1) > 1:
            pull = pull * np.array(news.spans, dtype=np.float64)[:, None]
        return self._of(self.pulls, news.senders) + pull

    def _of(self, matrix: Sketch, senders: Sequence[int]) -> Sketch:
        return matrix if list(senders) == list(self.edges) else matrix[self.places(senders)]

    def _with_rows(self, matrix: Sketch, news: News, some: Sequence[int], rows: Sketch) -> Sketch:
        """The matrix with some of these rows, which are those of the news, put in place."""
        if not some:
            return matrix
        if len(some) == len(self.edges) and list(news.senders) == list(self.edges):
            return rows
        after = matrix.copy()
        after[self.places([news.senders[k] for k in some])] = rows[some]
        return after

    def pruned(self, round_: int, memory: int) -> "Record":
        """Without own sums that no news will be compared with.

        Needed are those where news and windows of neighbours begin, and all up to which news may
        go: since a neighbour was heard that was not silent for longer than ``memory`` rounds, and
        as far back as messages were late.
        """
        oldest = round_ - memory
        newest = {edge.newest for edge in self.edges.values() if edge.newest is not None}
        recent = {k for k in (*newest, round_ - self.age) if k > oldest}
        since = min(recent, default=round_)
        begins = newest | {edge.since for edge in self.edges.values() if edge.since is not None}
        kept = {k: o for k, o in self.own.items() if k >= since or k in begins or k < self.first}
        return self._replace(own=kept)


def _cosines(
    products: Sequence[float], squares: Sequence[float], others: Sequence[float]
) -> list[float]:
    """Given the squared norms; not a number where one is 0."""
    lengths = [(one * other) ** 0.5 for one, other in zip(squares, others, strict=True)]
    return [x / length if length > 0 else nan for x, length in zip(products, lengths, strict=True)]


def _rows(vectors: Sequence[Sketch], size: int) -> Sketch:
    """(m, s), or (1, s) where all are the same one."""
    if not vectors:
        return np.zeros((0, size))
    same = all(vector is vectors[0] for vector in vectors)
    return np.array(vectors[:1] if same else vectors)
