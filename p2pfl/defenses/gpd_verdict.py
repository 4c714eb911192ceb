"""GPD's checks: what a record proves, whom it excludes, and who may come back."""

from collections.abc import Collection

import numpy as np

from p2pfl.defenses.gpd_detectors import Detector
from p2pfl.defenses.gpd_evidence import Evidence
from p2pfl.defenses.gpd_record import Edge, Record

_CLEAN_CHECKS = 2
"""In a row, until an excluded neighbour is readmitted."""


def is_due(record: Record, round_: int, memory: int) -> bool:
    """Whether to check in this round.

    A check is put off, by half a window at most, while too little is known of a neighbour that was
    heard within the last ``memory`` rounds.
    """
    if round_ < record.due or round_ >= record.due + record.length // 2:
        return round_ >= record.due
    return all(
        _known(record, edge)
        for edge in record.edges.values()
        if edge.newest is None or edge.newest > round_ - memory
    )


def _known(record: Record, edge: Edge) -> bool:
    return 2 * edge.seen >= record.length


def evidence(record: Record) -> Evidence:
    """Of the neighbours of whom enough is known: half of the window. Silence is no guilt."""
    judged = [s for s, edge in record.edges.items() if _known(record, edge)]
    edges = [record.edges[sender] for sender in judged]
    own = [record.own_within(edge) for edge in edges]
    ours = np.zeros((len(judged), record.sums.shape[1]))
    for row, (before, now) in zip(ours, own, strict=True):
        row += now.total - before.total
    at = record.places(judged)
    return Evidence.of(
        judged,
        off=record.sums[at] - record.base[at] - ours,
        ours=ours,
        energy=[edge.energy for edge in edges],
        came=[edge.came for edge in edges],
        owed=[edge.owed for edge in edges],
        kept_on=[edge.kept_on for edge in edges],
        pairs=[edge.pairs for edge in edges],
        own_kept_on=[now.kept_on - before.kept_on for before, now in own],
        own_pairs=[now.pairs - before.pairs for before, now in own],
        own_steps=[now.steps - before.steps for before, now in own],
        pulls=record.pulls[at],
        rounds=[edge.seen for edge in edges],
        first=record.short,
    )


def checked(
    record: Record, found: Evidence, detector: Detector, refused: Collection[int], most: int
) -> tuple[Record, set[int]]:
    """The record after a check, and who is suspect.

    An excluded neighbour that looks benign at two checks in a row is readmitted, each edge at most
    so many times: its next message finds the edge in use.

    Args:
        record: Before it.
        found: Its evidence.
        detector: Who says what that means.
        refused: Whose message of this round the guard refused: they do not look benign.
        most: The most readmissions of one edge.
    """
    excluded = {sender for sender in found.senders if record.edges[sender].excluded}
    live = found.only(record.judged())
    clean = detector.clears(found.only(excluded), live) - set(refused)
    edges = dict(record.edges)
    for sender in sorted(excluded):
        edge = edges[sender]._replace(clean=edges[sender].clean + 1 if sender in clean else 0)
        if edge.clean >= _CLEAN_CHECKS and edge.readmitted < most:
            edge = edge._replace(excluded=False, clean=0, readmitted=edge.readmitted + 1)
        edges[sender] = edge
    return record._replace(edges=edges), detector.suspects(live)


def next_window(record: Record, judged: Collection[int], opens: int, length: int) -> Record:
    """After a check. The windows of those who could not be judged go on."""
    return _unseen(record, judged)._replace(
        opens=opens,
        due=opens + length,
        length=length,
        short=False,
        checks=record.checks + 1,
    )


def _unseen(record: Record, senders: Collection[int]) -> Record:
    """With nothing seen of these neighbours: their windows are yet to begin."""
    new = {s: record.edges[s].unseen() for s in senders}
    keep = np.array([[sender not in senders] for sender in record.edges], dtype=np.float64)
    return record._replace(edges={**record.edges, **new}, pulls=record.pulls * keep.reshape(-1, 1))


def appealed(record: Record, accusers: Collection[int], now: int, length: int, most: int) -> Record:
    """With the excluded back in use that exclude somebody themselves, and a short window.

    Who has hostile neighbours looks hostile while these are heard. It may have found them out at
    the same check; then it soon looks benign, which this window shows.

    Args:
        record: Before it.
        accusers: Who says that it excludes somebody, whomever.
        now: The round.
        length: Rounds of the window, if it ends sooner than the one that is open.
        most: How often an edge may come back in this way.
    """
    back = [
        sender
        for sender, edge in record.edges.items()
        if edge.excluded and sender in accusers and edge.appeals < most
    ]
    if not back:
        return record
    record = _unseen(record, back)
    edges = dict(record.edges)
    for sender in back:
        edge = edges[sender]
        edges[sender] = edge._replace(excluded=False, clean=0, appeals=edge.appeals + 1)
    record = record._replace(edges=edges)
    due = max(record.opens, now) + length
    return record if record.due <= due else record._replace(due=due, length=length, short=True)


def excluding(record: Record, senders: Collection[int]) -> Record:
    """With these edges cut."""
    cut = {s: record.edges[s]._replace(excluded=True, clean=0) for s in senders}
    return record._replace(edges={**record.edges, **cut}) if cut else record
