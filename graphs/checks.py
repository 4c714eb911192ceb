"""What several topologies ask of their fields: each raises ``ValueError`` and names the field."""


def check_peers(peers: int) -> None:
    """At least two."""
    if peers < 2:
        raise ValueError(f"peers must be >= 2, got {peers}")


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


def check_share(name: str, value: float) -> None:
    """A probability."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability and must be in [0, 1], got {value}")
