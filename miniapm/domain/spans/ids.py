"""The ids of span batches and of the entries in them.

As all ids they are 63-bit and grow with time; here the upper bits count 128 µs since 2020 and the
lower 18 are an entry's position in its batch. So an entry tells its batch, a slice of batches is a
range of entries, and both tell when they arrived.
"""

from collections.abc import Callable

_EPOCH = 1_577_836_800_000_000
_TICK_BITS = 7
POSITION_BITS = 18
POSITIONS = 1 << POSITION_BITS


class BatchIds:
    """Hands out batch ids that only ever grow; used by the writing thread alone."""

    def __init__(self, clock: Callable[[], int], last_id: int) -> None:
        self._clock = clock
        self._last = last_id >> POSITION_BITS

    @property
    def last(self) -> int:
        """The id of the batch that came last; 0 before the first."""
        return self._last << POSITION_BITS

    def take(self, entries: int) -> int:
        """The id of a batch with so many entries: entry n of it is this id plus n, from 0."""
        tick = max(to_batch_id(self._clock()) >> POSITION_BITS, self._last + 1)
        # a batch of very many entries takes the place of several
        self._last = tick + (max(entries, 1) - 1) // POSITIONS
        return tick << POSITION_BITS


def to_batch_id(instant: int) -> int:
    """The smallest id of a batch that arrived at `instant` (µs) or later."""
    return max(0, instant - _EPOCH) >> _TICK_BITS << POSITION_BITS


def to_arrival(entry_id: int) -> int:
    """When the batch of an entry arrived, in µs; a batch id will do as well."""
    return (entry_id >> POSITION_BITS << _TICK_BITS) + _EPOCH
