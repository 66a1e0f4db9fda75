"""Instants as people type them after a flag."""

import re

import typer

from miniapm.domain.durations import parse_duration
from miniapm.domain.instants import parse_instant

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_moment(flag: str, text: str | None, now: int) -> int | None:
    """The instant that `text` names: a date, a date and time, Unix time, or how long ago (7d)."""
    if text is None:
        return None
    text = text.strip()
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time; write 2024-01-15, 2024-01-15T14:30:00Z, or 7d for a week ago",
            None,
            None,
            flag,
        ) from None
