"""How many bytes of callers may be in memory at once: bodies that are being read and writes that
wait share one budget. What does not fit is refused at once; nothing waits for room."""

from miniapm.exceptions import Busy

DEFAULT_BYTES = 64 * 1024 * 1024
SMALL_BYTES = 16 * 1024
ROOM_FOR_SMALL = 2 * 1024 * 1024


class ByteBudget:
    """Counts bytes; used on the event loop's thread alone."""

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self._limit = limit
        self.taken = 0

    def take(self, size: int) -> None:
        """Busy when there is no room for `size` more bytes."""
        # a few large bodies must not keep out a deploy
        room = ROOM_FOR_SMALL if size <= SMALL_BYTES else 0
        if self.taken + size > self._limit + room:
            raise Busy("More is coming in than can be stored; send again in a moment.", 1)
        self.taken += size

    def give_back(self, size: int) -> None:
        self.taken -= size


class Reservation:
    """What one call holds of a budget; it grows with what is known of the call's size."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    def grow_to(self, size: int) -> None:
        """Holds `size` bytes from now on, unless it holds more. Busy when there is no room."""
        if size > self.size:
            self._budget.take(size - self.size)
            self.size = size

    def release(self) -> None:
        self._budget.give_back(self.size)
        self.size = 0
