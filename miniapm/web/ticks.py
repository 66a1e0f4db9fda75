"""Where an axis of time has its labels: whole hours and days in the viewer's zone."""

from datetime import datetime, timedelta
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE, from_datetime
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_month_day

_STEPS = (
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 3, 7, 14, 28, 56)),
)


class Tick(NamedTuple):
    """A label at an instant in µs: a time of day, or the day where one begins."""

    at: int
    label: str


def find_ticks(since: int, until: int, zone: Zone, most: int = 12) -> list[Tick]:
    """About `most` ticks or fewer in since <= t < until, evenly apart by the clock on the wall."""
    step = next((s for s in _STEPS if (until - since) // s < most), _STEPS[-1])
    wall = _floor(zone.local(since).replace(tzinfo=None), step)
    last = zone.local(until).replace(tzinfo=None)
    found: dict[int, str] = {}
    while wall <= last:
        is_day = wall.hour == wall.minute == 0
        for instant in _instants_of(wall, zone):
            if since <= instant < until:
                found[instant] = tell_month_day(wall) if is_day else f"{wall:%H:%M}"
        wall += timedelta(microseconds=step)
    return [Tick(at, found[at]) for at in sorted(found)]


def _instants_of(wall: datetime, zone: Zone) -> list[int]:
    """When the clock shows this: once, twice where it is put back, never where it jumps."""
    folds = (wall.replace(tzinfo=zone.rules, fold=fold) for fold in (0, 1))
    instants = {from_datetime(moment) for moment in folds}
    return [i for i in instants if zone.local(i).replace(tzinfo=None, fold=0) == wall]


def _floor(wall: datetime, step: int) -> datetime:
    if step >= DAY:
        days = step // DAY
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=midnight.toordinal() % days)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (wall - midnight) // timedelta(microseconds=step) * timedelta(
        microseconds=step
    )
