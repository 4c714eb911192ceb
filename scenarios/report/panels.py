"""What stands on the page: charts in their order, each with a caption that says what it shows."""

from dataclasses import dataclass

from scenarios.report.charts import Chart
from scenarios.report.decisions import decision_map, measured, rates
from scenarios.report.folder import RunFolder, Series
from scenarios.report.learning import curves
from scenarios.report.place import by_client, by_place, covariates
from scenarios.report.spread import by_influence, by_round
from scenarios.report.traffic import delays, edge_map, fates, round_times, staleness


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its words."""

    name: str
    """Its address on the page."""
    title: str
    caption: str
    chart: Chart | None
    absent: str = ""
    """Why there is no chart."""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Some panels under one title."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def sections(run: RunFolder) -> list[Section]:
    """All panels of a run, drawn."""
    return [
        Section("learning", "How the models fared", tuple(_learning(run))),
        Section("graph", "Where it happened", tuple(_graph(run))),
        Section("place", _PLACE[run.server is not None], tuple(_place(run))),
        Section("decisions", "What the defense decided", tuple(_decisions(run))),
        Section("network", "The network", tuple(_network(run))),
    ]


_PLACE = {False: "Results by place in the graph", True: "Results by client"}


def _figures(run: RunFolder) -> list[tuple[str, str, Series | None]]:
    """Name, what it is called, and rows of each figure by which a model is judged."""
    accuracy = ("accuracy", "test accuracy", run.metrics.get("accuracy"))
    return [accuracy] if run.success is None else [
        accuracy, ("asr", "attack success (ASR)", run.success)
    ]  # fmt: skip


def _learning(run: RunFolder) -> list[Panel]:
    panels = []
    who = (
        "Thick: the mean of the peers of a group, with its mark; thin: each peer, named under the "
        "pointer."
        if run.server is None
        else "The server's model; what its clients hold in between is not measured."
    )
    asr = " ASR is the share of backdoored test inputs that get the class the adversary wants."
    for name, what, series in _figures(run):
        more = asr if name == "asr" else ""
        for over, title, hint in (
            ("round", "over rounds", "A round is a peer's own count."),
            ("time", "over virtual time", "Virtual time has the links' delays and the peers' "
             "speed in it; the mean is of each peer's last evaluation until then."),
        ):  # fmt: skip
            panels.append(
                Panel(
                    f"{name}-by-{over}",
                    f"{what[0].upper()}{what[1:]} {title}",
                    f"In %, on the test set. {who} {hint}{more}",
                    curves(run, series, what, "round" if over == "round" else "time")
                    if series is not None
                    else None,
                    "No model was evaluated.",
                )
            )
    return panels


def _graph(run: RunFolder) -> list[Panel]:
    if run.server is not None:
        caption = (
            "The clients around their server; colour: the share that a client's model had in the "
            "server's new model of that round, in %; grey: it took no part. Red diamonds: "
            "adversaries, whose share the map below has."
        )
        return [Panel("graph-influence", "Whom the server listens to", caption, by_influence(run),
                      "The server merged nothing.", wide=True)]  # fmt: skip
    panels = []
    for name, what, series in _figures(run):
        panels.append(
            Panel(
                f"graph-{name}",
                f"The graph by {what}, round by round",
                f"Peers, and who is connected with whom. Colour: a benign peer's {what} after "
                "the round under the slider, in %; grey: not evaluated yet. Circles: benign; "
                "squares: benign with more adversaries than benign peers among its neighbours "
                "(dominated); red diamonds: adversaries. Move the slider, or press ▶, to see how "
                "it spreads.",
                by_round(run, series, what) if series is not None else None,
                "No model was evaluated.",
                wide=True,
            )
        )
    return panels


def _place(run: RunFolder) -> list[Panel]:
    if run.server is not None:
        caption = (
            "Each client by its number of training samples and its mean share in the server's "
            "models, in %. All clients are one hop from the server: place in a graph plays no part."
        )
        return [
            Panel("by-client", "Influence by samples", caption, by_client(run), "No merge.", True)
        ]
    panels = []
    for name, what, series in _figures(run):
        last = run.last(series)
        for covariate in covariates(run):
            short = covariate.title.partition(" (")[0]
            panels.append(
                Panel(
                    f"{name}-by-{short.split()[0]}",
                    f"{what[0].upper()}{what[1:]} by {short}",
                    f"Each benign peer's last {what}, in %, against {short}. "
                    "Orange squares: dominated. Marks stand a little aside so that equal ones are "
                    "seen; the line is the mean.",
                    by_place(run, covariate, last, what),
                    "No benign peer with this was evaluated."
                    if run.adversaries
                    else "Nobody is hostile, or no model was evaluated.",
                )
            )
    return panels


def _decisions(run: RunFolder) -> list[Panel]:
    flags = "" if "tpr" in run.metrics else " This defense flags nobody."
    return [
        Panel(
            "rates",
            "Adversaries told from benign senders",
            "Mean over the merges of a round, in %. Influence: the share that adversaries' models "
            "had in a merged model. TPR: flagged among the adversaries heard (100 % where none "
            f"is); FPR: flagged among the benign heard (0 % where none is).{flags}",
            rates(run),
            "Nobody is hostile, or nothing was merged.",
        ),
        Panel(
            "measured",
            "What the defense measured of its neighbours",
            "One quantity at a time, chosen above, in the unit that the defense gives it: of "
            "benign senders and of adversaries, the median over all merges of a round, and "
            "between thin lines the middle half. Where the two part, the defense can tell.",
            measured(run),
            "This defense notes nothing of single neighbours.",
        ),
        Panel(
            "map",
            "Who listened to whom",
            "A row for each peer that merges, a column for each sender; right of the dashed line "
            "the adversaries. Colour: the sender's mean share in the merged models of the rounds "
            "under the slider, in %; grey: no model came. Squares: flagged and an adversary; "
            "crosses: flagged though benign (in at least half of the merges)." + flags,
            decision_map(run),
            "Nothing was merged, or the run has too many peers for a map.",
            wide=True,
        ),
    ]


def _network(run: RunFolder) -> list[Panel]:
    return [
        Panel(
            "edges",
            "Each edge",
            "From a sender (column) to a receiver (row), over the whole run; choose above: bytes "
            "sent in MB, what became of the messages as % of those sent, and, of a run with "
            "record.messages, their mean delay in ms. Grey: no such edge.",
            edge_map(run),
            "No message was counted, or the run has too many peers for a map.",
            wide=True,
        ),
        Panel(
            "fates",
            "What became of the messages",
            "By role of sender and receiver, in % of the messages sent; their number is under the "
            "pointer.",
            fates(run),
            "No message was counted.",
        ),
        Panel(
            "staleness",
            "Age of the merged models",
            "How many rounds behind the receiver a merged model's sender was, in % of all merged "
            "models of senders of that role.",
            staleness(run),
            "Nothing was merged.",
        ),
        Panel(
            "round-times",
            "Length of a round",
            "From its start to its end at a peer, in seconds of virtual time: training, sending, "
            "and waiting for neighbours or for the timeout.",
            round_times(run),
            "No round ended.",
        ),
        Panel(
            "delays",
            "Delay of the messages",
            "From sending to arriving, in milliseconds of virtual time, of every message that "
            "arrived: latency, transmission, and waiting for its turn.",
            delays(run),
            "Single messages were not recorded: run with --set record.messages=true to see how "
            "long they were under way.",
        ),
    ]
