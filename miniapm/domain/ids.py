"""Ids are made here and not by the database: 63-bit integers that grow with time.

The upper bits are milliseconds since 2020, the lower 21 start at random in each millisecond, so two
processes do not meet and a replayed write is recognised. As text they are decimal.
"""

import secrets
from threading import Lock

from miniapm.clock import Clock

_EPOCH_MS = 1_577_836_800_000
_LOW_BITS = 21
MAX_ID = 2**63 - 1


class IdMaker:
    """Hands out ids that only ever grow within this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        # requests make ids on the loop's thread, changes on the writer's
        self._lock = Lock()

    def __call__(self) -> int:
        with self._lock:
            return self._make()

    def _make(self) -> int:
        milliseconds = self._clock() // 1000 - _EPOCH_MS
        fresh = milliseconds << _LOW_BITS
        if fresh > self._last:
            # half of the range stays free for ids that follow within the same millisecond
            fresh += secrets.randbits(_LOW_BITS - 1)
            self._last = fresh
        else:
            self._last += 1
        return self._last


def parse_id(text: str) -> int | None:
    """The id that `text` writes in decimal, or None where it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    value = int(text)
    return value if 0 < value <= MAX_ID else None


def first_id_at(instant: int) -> int:
    """The least id that can be made at `instant` (µs) or later."""
    return max(instant // 1000 - _EPOCH_MS, 0) << _LOW_BITS


def made_at(made_id: int) -> int:
    """When an id was made, to the millisecond (µs)."""
    return ((made_id >> _LOW_BITS) + _EPOCH_MS) * 1000
