"""One time zone per viewer: every instant on a page is told in it, and the page says which it is.

The browser's zone arrives in the cookie `tz`; without one, or with one nobody knows, it is UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from starlette.requests import Request

from miniapm.clock import to_datetime

ZONE_COOKIE = "tz"
_NO_PLACES = frozenset({"Factory", "localtime"})


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its IANA name."""

    name: str = "UTC"
    rules: tzinfo = UTC

    @property
    def words(self) -> str:
        """The name as a person reads it: `Europe/Berlin`, `America/New York`."""
        return self.name.replace("_", " ")

    def local(self, instant: int) -> datetime:
        """The local date and time at `instant`."""
        return to_datetime(instant).astimezone(self.rules)

    def turns_on(self, moment: datetime) -> bool:
        """Whether clocks change on the day of `moment`: then an hour comes twice, or never."""
        return self.rules is not UTC and _turns_on(self.rules, moment.date())


@lru_cache(maxsize=1024)
def _turns_on(rules: tzinfo, day: date) -> bool:
    begin = datetime.combine(day, time(), rules)
    return begin.utcoffset() != (begin + timedelta(days=1)).utcoffset()


@cache
def find_zone_names() -> frozenset[str]:
    """Every zone that this machine knows; UTC alone where it has no zone data."""
    return frozenset(available_timezones()) - _NO_PLACES | {"UTC"}


def make_zone(name: str) -> Zone | None:
    """The zone with this IANA name, or None when nobody knows it."""
    if name == "UTC":
        return Zone()
    return Zone(name, ZoneInfo(name)) if name in find_zone_names() else None


def find_zone(request: Request) -> Zone:
    """The viewer's zone."""
    name = request.cookies.get(ZONE_COOKIE, "")
    return (make_zone(name) if name else None) or Zone()
