"""Who goes first: people who wait for a page go before senders, whose data waits for its turn.

All threads share Python's one lock, and a page takes it anew for every row that it reads: beside
threads that compute, it would wait for each. So these stop between their steps while a page is
made, in proportion to what they worked: slower by a known factor, they never stand still.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

RESTS = 6.0
"""For how many times as long as it worked a thread stops while pages are made."""
LONGEST_SECONDS = 0.05


class Precedence:
    """Pages hold it, on the event loop's thread; threads that work for senders give way to it.

    `timer` counts seconds and never goes back; no stop lasts longer than `longest_seconds`.
    """

    def __init__(
        self,
        timer: Callable[[], float] = time.monotonic,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._timer = timer
        self._longest_seconds = longest_seconds
        self._pages = 0
        self._nobody = threading.Event()
        self._nobody.set()
        self._turn = threading.local()

    @property
    def is_held(self) -> bool:
        """Whether a page is being made."""
        return self._pages > 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While the block runs, threads that work for senders stop between their steps."""
        self._pages += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._pages -= 1
            if not self._pages:
                self._nobody.set()

    def give_way(self) -> None:
        """Stops for a while if a page is being made; from any thread but the loop's."""
        if not self._nobody.is_set():
            self._nobody.wait(self.find_rest())
        self._turn.began = self._timer()

    def find_rest(self) -> float:
        """For how many seconds this thread is to stop, which worked since it last gave way."""
        began: float | None = getattr(self._turn, "began", None)
        if began is None:
            return self._longest_seconds
        return min(self._longest_seconds, (self._timer() - began) * RESTS)
