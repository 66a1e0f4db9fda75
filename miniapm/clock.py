"""Instants: integer microseconds since the Unix epoch, UTC. The one file that reads the clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """The present instant."""
    return time.time_ns() // 1000


def to_datetime(instant: int) -> datetime:
    """An aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> int:
    """The instant of an aware datetime, exact to the microsecond."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_rfc3339(instant: int) -> str:
    """RFC 3339 in UTC with `Z`; fractions only where there are any."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")
