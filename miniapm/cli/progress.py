"""What a command that waits shows on stderr: one line, rewritten on a terminal, else one for each
change."""

import shutil
import sys
from collections.abc import Callable

from miniapm.printable import escape_controls

_CLEAR = "\r\x1b[K"


class Progress:
    """`seconds_left` says how long it will wait at most."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._rewrites = sys.stderr.isatty()
        self._shown: str | None = None

    def show(self, text: str) -> None:
        """Says what is waited for."""
        text = escape_controls(text)
        if not self._rewrites and text == self._shown:
            return
        self._shown = text
        line = f"waiting: {text} ({_tell_seconds(self._seconds_left())} left)"
        if self._rewrites:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"{_CLEAR}{line[:width]}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Takes the line away, where there is one to be rewritten."""
        if self._rewrites and self._shown is not None:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
        self._shown = None


def _tell_seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 59.5 else f"{seconds:.0f} s"
