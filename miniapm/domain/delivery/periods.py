"""Days, weeks from Monday, and months as a calendar has them in some time zone."""

from datetime import datetime, timedelta, tzinfo
from typing import Literal, NamedTuple, get_args

from miniapm.clock import from_datetime, to_datetime

PeriodName = Literal["day", "week", "month"]
PERIOD_NAMES: tuple[PeriodName, ...] = get_args(PeriodName)


class Period(NamedTuple):
    """since <= t < until, in µs: one whole day, week or month."""

    since: int
    until: int


def find_period_start(instant: int, period: PeriodName, zone: tzinfo) -> int:
    """When the period that `instant` is in began."""
    return _to_instant(_floor(_to_local(instant, zone), period), zone)


def cut_into_periods(since: int, until: int, period: PeriodName, zone: tzinfo) -> list[Period]:
    """The periods that since <= t < until touches, whole, one after the other.

    Each begins at the local midnight, or where that is skipped as soon as the day begins: days have
    23 or 25 hours where clocks change.
    """
    begin = _floor(_to_local(since, zone), period)
    periods = []
    start = _to_instant(begin, zone)
    while start < until:
        begin = _next(begin, period)
        end = _to_instant(begin, zone)
        periods.append(Period(start, end))
        start = end
    return periods


def count_days(since: int, until: int, zone: tzinfo) -> int:
    """How many days of the calendar since <= t < until touches."""
    if until <= since:
        return 0
    first, last = _to_local(since, zone), _to_local(until - 1, zone)
    return (last.date() - first.date()).days + 1


def _to_local(instant: int, zone: tzinfo) -> datetime:
    return to_datetime(instant).astimezone(zone).replace(tzinfo=None)


def _to_instant(wall: datetime, zone: tzinfo) -> int:
    # a midnight that comes twice begins its day the first time (fold 0); one that is skipped is
    # read with the offset from before it, which is the instant of the change
    return from_datetime(wall.replace(tzinfo=zone, fold=0))


def _floor(wall: datetime, period: PeriodName) -> datetime:
    day = wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "day":
        return day
    return day - timedelta(days=day.weekday()) if period == "week" else day.replace(day=1)


def _next(begin: datetime, period: PeriodName) -> datetime:
    if period == "month":
        return (begin.replace(day=1) + timedelta(days=32)).replace(day=1)
    return begin + timedelta(days=1 if period == "day" else 7)
