"""What users touch: scenario files, runs and their records.

>>> from scenarios import load, run
>>> record = run(load("quickstart"))  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from scenarios.loader import Loaded, load

if TYPE_CHECKING:
    from scenarios.runner import Record, resume, run

__all__ = ["Loaded", "Record", "load", "resume", "run"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: ``p2pfl --help`` must not wait for it."""
    if name in ("run", "resume", "Record"):
        from scenarios import runner

        return getattr(runner, name)
    raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
