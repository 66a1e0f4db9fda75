"""One deadline for a whole piece of work, however many steps it takes. Light: `time` only."""

import time


class Deadline:
    """A moment that everything shares; `seconds` is what was asked for, for messages."""

    __slots__ = ("_ends_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends_at - time.monotonic())

    def part(self, share: float) -> "Deadline":
        """A nearer deadline: this share of what is left."""
        return Deadline(self.remaining() * share)
