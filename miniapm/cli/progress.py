"""What a command that takes long shows on stderr: one line, rewritten on a terminal."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from miniapm.domain.percents import tell_whole
from miniapm.printable import escape_controls

_CLEAR = "\r\x1b[K"
_BAR_WIDTH = 24
_SECONDS_BETWEEN = 0.1


def _write(text: str) -> None:
    with suppress(BrokenPipeError):  # what is waited for comes all the same
        sys.stderr.write(text)
        sys.stderr.flush()


class _Line:
    """A line on stderr: rewritten on a terminal, elsewhere one for each time it is shown."""

    def __init__(self) -> None:
        self.rewrites = sys.stderr.isatty()
        self._stands = False

    def show(self, line: str) -> None:
        if self.rewrites:
            width = shutil.get_terminal_size().columns - 1
            _write(f"{_CLEAR}{line[:width]}")
        else:
            _write(f"{line}\n")
        self._stands = True

    def end(self) -> None:
        """Takes the line away, where there is one to be rewritten."""
        if self.rewrites and self._stands:
            _write(_CLEAR)
        self._stands = False


class Progress:
    """What is waited for, told as it changes; `seconds_left` says how long it will wait at most."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._line = _Line()
        self._shown: str | None = None

    def show(self, text: str) -> None:
        """Says what is waited for, while it is."""
        if not self._seconds_left():
            return
        text = escape_controls(text)
        if not self._line.rewrites and text == self._shown:
            return
        self._shown = text
        self._line.show(f"waiting: {text} ({_tell_seconds(self._seconds_left())} left)")

    def end(self) -> None:
        """Takes the line away, where there is one to be rewritten."""
        self._line.end()
        self._shown = None


class Bar:
    """How far a long piece of work is: on a terminal, while results go elsewhere; else silent.

    `find_share` gives 0 to 1, None where nobody knows how much there is; `noun` is what is counted.
    """

    def __init__(self, noun: str, find_share: Callable[[], float | None]) -> None:
        self._noun = noun
        self._find_share = find_share
        self._line = _Line() if sys.stderr.isatty() and not sys.stdout.isatty() else None
        self._next_at = time.monotonic() + _SECONDS_BETWEEN

    def show(self, count: int) -> None:
        """Says that `count` are done, unless it was said just now."""
        if self._line is None or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _SECONDS_BETWEEN
        self._line.show(f"{_draw(self._find_share())}{count:,} {self._noun}")

    def end(self) -> None:
        """Takes the bar away."""
        if self._line is not None:
            self._line.end()


def _draw(share: float | None) -> str:
    if share is None:
        return ""
    share = min(max(share, 0.0), 1.0)
    done = round(share * _BAR_WIDTH)
    return f"[{'#' * done}{' ' * (_BAR_WIDTH - done)}] {tell_whole(share):>5}  "


def _tell_seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 59.5 else f"{seconds:.0f} s"
