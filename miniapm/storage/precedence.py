"""Who goes first: people who wait for a page go before senders, whose data waits for its turn.

All threads share Python's one lock, and a page takes it anew for every row that it reads: beside
threads that compute, it would wait for each. So these stop between their steps while a page is made.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST_SECONDS = 0.25
"""For how long pages in a row go first, at most."""
EARNED = 3.0
"""What a second without pages earns: so pages that never end leave a quarter of the time."""


class Precedence:
    """Pages hold it, on the event loop's thread; threads that work for senders give way to it.

    `timer` counts seconds and never goes back.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._pages = 0
        self._seconds = LONGEST_SECONDS
        self._changed_at = timer()
        self._nobody = threading.Event()
        self._nobody.set()

    @property
    def is_held(self) -> bool:
        """Whether a page is being made."""
        return self._pages > 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While the block runs, threads that work for senders wait, unless pages had their share."""
        if not self._pages:
            earned = (self._timer() - self._changed_at) * EARNED
            self._seconds = min(LONGEST_SECONDS, self._seconds + earned)
            self._changed_at = self._timer()
            self._nobody.clear()
        self._pages += 1
        try:
            yield
        finally:
            self._pages -= 1
            if not self._pages:
                self._seconds = self.find_wait()
                self._changed_at = self._timer()
                self._nobody.set()

    def find_wait(self) -> float:
        """How many seconds pages that are being made still go first."""
        return max(0.0, self._seconds - (self._timer() - self._changed_at))

    def give_way(self) -> None:
        """Waits while pages go first; from any thread but the loop's, between two steps."""
        if not self._nobody.is_set() and (seconds := self.find_wait()):
            self._nobody.wait(seconds)
