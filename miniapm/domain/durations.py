"""Durations as people write them (`90d`, `24h`, `15m`, `30s`), in microseconds."""

import re

from miniapm.clock import DAY, HOUR, MINUTE, SECOND

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_FORM = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)


def parse_duration(text: str) -> int:
    """Microseconds; ValueError says how a duration is written."""
    match = _FORM.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError("must be a number and a unit, such as 90d, 24h, 15m or 30s")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(micros: int) -> str:
    """The shortest exact way to write `micros`; whole seconds."""
    for unit in ("d", "h", "m"):
        if micros >= _UNITS[unit] and micros % _UNITS[unit] == 0:
            return f"{micros // _UNITS[unit]}{unit}"
    return f"{micros // SECOND}s"
