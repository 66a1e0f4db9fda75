"""One sweep through all that can be too old: slice by slice, each a short write of its own."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from miniapm.storage.connection import Connection, transaction
from miniapm.storage.once import open_existing, write_lock

FIRST_SIZE = 20
LARGEST_SIZE = 5_000
SLICE_SECONDS = 0.02
"""What a slice should take at most: less than half of the 50 ms that others may have to wait, for
its commit takes time, too."""
REST = 3.0
"""The rest after a slice, in times of what it took: a quarter of the writer's time at most."""


class Slice(NamedTuple):
    """What a stage deleted: how many of which kind, and whether that was the last of it."""

    removed: Mapping[str, int]
    is_last: bool


Stage = Callable[[Connection, int], Slice]
"""Deletes a slice of about so many batches or rows. Whatever is left of a stage that was broken off
is found by the next sweep."""


class Sweep:
    """Goes through `stages` one after the other; `step` is called until `is_done`."""

    def __init__(
        self, stages: Iterable[Stage], timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._stages = deque(stages)
        self._timer = timer
        self._size = FIRST_SIZE
        self.removed: Counter[str] = Counter()

    @property
    def is_done(self) -> bool:
        return not self._stages

    @property
    def size(self) -> int:
        """How many batches or rows the next slice will have."""
        return self._size

    def step(self, connection: Connection) -> float:
        """Deletes a slice, within the caller's transaction; gives the seconds that took."""
        if not self._stages:
            return 0.0
        began = self._timer()
        done = self._stages[0](connection, self._size)
        seconds = self._timer() - began
        self.removed.update(done.removed)
        if done.is_last:
            self._stages.popleft()
            self._size = FIRST_SIZE
        elif seconds > SLICE_SECONDS:
            self._size = max(1, self._size // 2)
        elif seconds < SLICE_SECONDS / 3:
            self._size = min(LARGEST_SIZE, self._size * 2)
        return seconds


def sweep_once(path: Path, sweep: Sweep, pause: Callable[[float], None] = time.sleep) -> None:
    """Sweeps for the command line, beside a running server: each slice is a transaction."""
    with open_existing(path) as connection:
        while not sweep.is_done:
            with write_lock(path), transaction(connection):
                seconds = sweep.step(connection)
            pause(seconds * REST)
