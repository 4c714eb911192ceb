"""What users touch: scenario files, runs and their records.

>>> from scenarios import load, open_run, run
>>> record = run(load("quickstart"))  # doctest: +SKIP
>>> open_run("runs/quickstart-1").plot.accuracy()  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from scenarios.loader import Loaded, load

if TYPE_CHECKING:
    from scenarios.finished import Record, open_run
    from scenarios.runner import resume, run

__all__ = ["Loaded", "Record", "load", "open_run", "resume", "run"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: ``p2pfl --help`` must not wait for it."""
    if name in ("run", "resume"):
        from scenarios import runner

        return getattr(runner, name)
    if name in ("Record", "open_run"):
        from scenarios import finished

        return getattr(finished, name)
    raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
