"""What several topologies ask of their fields: each raises ``ValueError`` and names the field."""

MOST_PEERS, MOST_EDGES = 100_000, 5_000_000
"""What a graph may have, before it is built: more fit no laptop, whatever they would learn."""


def check_peers(peers: int) -> None:
    """At least two."""
    if peers < 2:
        raise ValueError(f"peers must be >= 2, got {peers}")
    check_size("peers", peers)


def check_size(names: str, peers: int, edges: int = 0) -> None:
    """Whether a graph that these fields make so large can be built."""
    if peers > MOST_PEERS:
        raise ValueError(f"{names} must make {MOST_PEERS:,} peers at most, got {peers:,}")
    if edges > MOST_EDGES:
        raise ValueError(
            f"{names} would take {edges:,} edges, or pairs to look at: {MOST_EDGES:,} at most"
        )


def check_at_least(name: str, value: int, least: int) -> None:
    """A count that has a lower bound."""
    if value < least:
        raise ValueError(f"{name} must be >= {least}, got {value}")


def check_even_neighbours(name: str, value: int, peers: int) -> None:
    """As many neighbours on one side as on the other."""
    if value < 2 or value % 2 or value >= peers:
        most = (peers - 1) // 2 * 2
        allowed = f"2 to {most}" if most > 2 else f"{most}" if most else "no such number"
        raise ValueError(
            f"{name} must be even, >= 2 and < peers: with peers={peers} {allowed} is possible, "
            f"got {value}"
        )


MOST_S = 1e9
"""Of virtual time: 31 years, which are still whole nanoseconds."""


LONGEST_MS = 1e9
"""Of a latency that is given; what is drawn is cut at 104 days."""


def check_moment(name: str, at_s: float) -> None:
    """A time of the run."""
    if not 0 <= at_s <= MOST_S:
        raise ValueError(f"{name} must be in [0, 1e9] seconds, got {at_s}")


def check_lasts(name: str, seconds: float) -> None:
    """How long something lasts that comes again: so short that nothing else happens is refused."""
    if not 1e-3 <= seconds <= MOST_S:
        raise ValueError(f"{name} must be in [1e-3, 1e9] seconds, got {seconds}")


def check_share(name: str, value: float) -> None:
    """A probability."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability and must be in [0, 1], got {value}")
