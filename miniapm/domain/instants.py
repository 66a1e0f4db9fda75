"""Reading instants as senders write them, strictly: what could mean two times is refused."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

from miniapm.clock import DAY, from_datetime

YEAR_2000 = 946_684_800_000_000
_FORM = "must be an ISO 8601 date and time such as 2024-01-15T14:30:00Z, or Unix seconds"

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,12}))?)?"
    r" ?(?:([Zz]|UTC)|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS = re.compile(r"\d{9,20}(?:\.\d{1,9})?", re.ASCII)
_UNIX_END = 10**20


def parse_instant(value: str | int | float) -> int:
    """Microseconds since the epoch. ValueError says what is wrong.

    Takes ISO 8601 with date and time and any offset (none means UTC), `YYYY-MM-DD HH:MM:SS +0200`,
    and Unix time in s, ms, µs or ns, as a number or digits, told apart by size.
    """
    if isinstance(value, str):
        match = _ISO.fullmatch(value)
        if match is not None:
            return _from_iso(match)
        if _DIGITS.fullmatch(value) is not None:
            return _from_unix(Decimal(value))
        raise ValueError(f"{_FORM}; it needs a time, too" if _DATE.fullmatch(value) else _FORM)
    if isinstance(value, bool) or not 0 <= value < _UNIX_END:
        raise ValueError(_FORM)
    return _from_unix(Decimal(value) if isinstance(value, int) else Decimal(repr(value)))


def parse_instant_or_date(text: str, zone: tzinfo = UTC) -> int:
    """As `parse_instant`, and of a date, `2024-01-15`, the moment when it begins in `zone`."""
    if _DATE.fullmatch(text) is None:
        return parse_instant(text)
    try:
        return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no date: {error}") from None


def check_range(instant: int, now: int) -> None:
    """ValueError for what no deploy can be: before 2000, or later than a day from now."""
    if instant < YEAR_2000:
        raise ValueError("is before the year 2000")
    if instant > now + DAY:
        raise ValueError("is more than 24 hours in the future")


def _from_iso(match: re.Match[str]) -> int:
    year, month, day, hour, minute, second, fraction, zulu, sign, off_hours, off_minutes = (
        match.groups()
    )
    zone = UTC
    if zulu is None and sign is not None:
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
        if offset >= timedelta(hours=24) or int(off_minutes or 0) > 59:
            raise ValueError(f"has an impossible offset; it {_FORM}")
        zone = timezone(-offset if sign == "-" else offset)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    seconds = int(second or 0)
    # a leap second has no place in Unix time: it is the last moment before the next minute
    if seconds == 60:
        seconds, micros = 59, 999_999
    try:
        # an offset can push the first and the last day out of the years that there are
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), seconds, micros, zone
        ).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no date: {error}") from None
    return from_datetime(moment)


def _from_unix(number: Decimal) -> int:
    if number < 10**11:
        return int(number * 1_000_000)
    if number < 10**14:
        return int(number * 1000)
    if number < 10**17:
        return int(number)
    return int(number / 1000)
