"""The command line: one file per noun, each parses, calls and prints.

Exit codes: 0 done, 1 the answer is no, 2 wrong use or refused input, 3 could not reach or open.
"""

import os
import sys

import typer

from miniapm.cli.keys import keys_app
from miniapm.cli.serve import serve
from miniapm.exceptions import Busy, MiniapmError, Unavailable

app = typer.Typer(
    name="miniapm",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.add_typer(keys_app)


def main() -> None:
    """Runs the command; errors of ours are one line on stderr and an exit code."""
    try:
        app()
    except MiniapmError as error:
        print(f"miniapm: {error.message}", file=sys.stderr)
        sys.exit(3 if isinstance(error, Unavailable | Busy) else 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
