"""Where commands print: a console that outlives its reader."""

from contextlib import suppress

from rich.console import Console


class Terminal(Console):
    """As Rich's; but when what reads it goes away (``| head``), it says no more and raises nothing.

    A run that somebody has stopped to watch goes on to its end.
    """

    def on_broken_pipe(self) -> None:
        """Rich falls silent and then ends the process; here the first is enough."""
        with suppress(SystemExit):
            super().on_broken_pipe()
