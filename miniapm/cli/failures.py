"""Exceptions to one line on stderr and an exit code."""

import sys
import traceback
from contextlib import suppress

import typer

from miniapm.exceptions import Busy, MiniapmError, Unavailable
from miniapm.printable import escape_controls


def explain_failure(error: Exception, command: str) -> int:
    """Prints what went wrong and what to do; returns 2 for wrong use, 3 for trouble. `command` are
    the words of the command that was called."""
    if isinstance(error, MiniapmError):
        _print(error.message)
        return 3 if isinstance(error, Unavailable | Busy) else 2
    if isinstance(error, typer.TyperException):
        return _explain_usage(error, command)
    if isinstance(error, typer.Abort):
        _print("Stopped; nothing was changed.")
        return 130
    if isinstance(error, OSError):
        _print(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return 3
    traceback.print_exc()
    _print("This is a mistake in miniapm; please report it with the lines above.")
    return 3


def _explain_usage(error: typer.TyperException, command: str) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if "\n" in message.strip() and context is not None and message == context.get_help():
        print(message, file=sys.stderr)  # a noun without a verb: its help says what there is
        return 2
    if context is not None:
        command = context.command_path
    text = " ".join(message.split())
    end = "" if text.endswith((".", "?")) else "."
    _print(f"{text}{end} See {command} --help.")
    return 2


def _print(text: str) -> None:
    with suppress(BrokenPipeError):  # the exit code says the rest
        print(f"miniapm: {escape_controls(text)}", file=sys.stderr, flush=True)
