"""Instants and durations as a page tells them; each instant is a `<time>` with its UTC value."""

from datetime import date, datetime, timedelta

from markupsafe import Markup, escape

from miniapm.clock import HOUR, MINUTE, SECOND, to_rfc3339
from miniapm.web.time_zone import Zone

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def tell_instant(instant: int, zone: Zone) -> Markup:
    """`9 October 2025, 10:53:20` in a `<time>`."""
    local = zone.local(instant)
    text = f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {_clock(local)}"
    return _mark(instant, text + _offset(local, zone))


def tell_clock(instant: int, zone: Zone) -> Markup:
    """`10:53` in a `<time>`, for rows that stand under their day."""
    local = zone.local(instant)
    return _mark(instant, f"{_minute(local)}{_offset(local, zone)}")


def tell_short(instant: int, zone: Zone) -> Markup:
    """`9 Oct, 10:53` in a `<time>`, for rows of figures over days."""
    local = zone.local(instant)
    return _mark(instant, f"{tell_month_day(local)}, {_minute(local)}{_offset(local, zone)}")


def tell_moment(instant: int, zone: Zone) -> Markup:
    """`9 Oct, 10:53:20` in a `<time>`, for rows of single requests."""
    local = zone.local(instant)
    return _mark(instant, f"{tell_month_day(local)}, {_clock(local)}{_offset(local, zone)}")


def tell_month_day(day: date) -> str:
    """`9 Oct`."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def tell_day(day: date, today: date) -> str:
    """`Today, Thursday 9 October`; the year where it is another one."""
    year = "" if day.year == today.year else f" {day.year}"
    text = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}{year}"
    near = {today: "Today, ", today - timedelta(days=1): "Yesterday, "}
    return near.get(day, "") + text


def tell_duration(micros: int) -> str:
    """`850 ms`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if micros < SECOND:
        return f"{micros // 1000} ms"
    if micros < MINUTE:
        return f"{micros // SECOND} s"
    for big, name, small, part in ((MINUTE, "min", SECOND, "s"), (HOUR, "h", MINUTE, "min")):
        if micros < big * 60 or big == HOUR:
            whole, rest = divmod(micros, big)
            return f"{whole} {name}" + (f" {rest // small} {part}" if rest // small else "")
    raise AssertionError(micros)


def tell_iso(instant: int, zone: Zone) -> str:
    """ISO 8601 in the zone, with its offset: how an instant stands in a form."""
    return zone.local(instant).isoformat().replace("+00:00", "Z")


def _minute(local: datetime) -> str:
    # a pattern as `%H:%M` takes five times as long, and tables have thousands of these
    return f"{local.hour:02}:{local.minute:02}"


def _clock(local: datetime) -> str:
    return f"{local.hour:02}:{local.minute:02}:{local.second:02}"


def _offset(local: datetime, zone: Zone) -> str:
    """On a day when clocks change, the zone's short name, since an hour may come twice."""
    return f" {escape(local.tzname())}" if zone.turns_on(local) else ""


def _mark(instant: int, text: str) -> Markup:
    """`text` is HTML."""
    # Markup.format takes five times as long
    return Markup(f'<time datetime="{to_rfc3339(instant)}">{text}</time>')  # noqa: S704
