"""The command line. Each command imports what it needs: ``p2pfl --help`` waits for no torch."""

import sys
from collections.abc import Sequence

import typer

from p2pfl.errors import P2PFLError, ScenarioError
from scenarios.commands.check import calibrate, check
from scenarios.commands.compare import compare
from scenarios.commands.curve import curve
from scenarios.commands.data import get
from scenarios.commands.look import doctor, list_, schema
from scenarios.commands.options import DONE, FAILED, INTERRUPTED, WRONG_INPUT
from scenarios.commands.repair import repair
from scenarios.commands.replay import replay
from scenarios.commands.run import report, run
from scenarios.commands.sweep import sweep

COMMANDS = (
    run, report, compare, replay, sweep, curve, check, repair, calibrate, list_, schema, doctor,
)  # fmt: skip
"""In the order in which ``--help`` shows them."""

app = typer.Typer(
    name="p2pfl",
    help="An emulator of decentralised learning under attack.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in COMMANDS:
    app.command(name=command.__name__.rstrip("_"))(command)
data_app = typer.Typer(help="Published data sets.", no_args_is_help=True)
data_app.command()(get)
app.add_typer(data_app, name="data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted.
    """
    try:
        app(arguments, prog_name="p2pfl")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except ScenarioError as error:
        return _say(error, WRONG_INPUT)
    except P2PFLError as error:
        return _say(error, FAILED)
    return DONE


def _say(error: Exception, code: int) -> int:
    for line in (str(error), *getattr(error, "__notes__", ())):
        print(f"p2pfl: {line}", file=sys.stderr)
    return code
