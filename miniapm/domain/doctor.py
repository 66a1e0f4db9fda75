"""What the doctor says: findings, each with what to do about it."""

from typing import Literal, NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.durations import format_duration

Mark = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """One thing that was looked at. A `problem` needs somebody to do what `advice` says."""

    mark: Mark
    about: str
    sentence: str
    advice: str = ""


def tell_span(micros: int) -> str:
    """A duration, as exact as somebody needs it who looks for its cause."""
    unit = next((unit for unit in (DAY, HOUR, MINUTE, SECOND) if micros >= 2 * unit), SECOND)
    return format_duration(max(round(micros / unit), 1) * unit)
