"""What a host leaves to us: it takes processor time away for its other guests, at times half of it.

A time measured meanwhile says how busy the neighbours are. So benches measure in short stretches
and go by those in which little was taken; where there are none they go by all, and tell how much
was taken in what they went by.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

QUIET = 0.05
"""Of the processors' time; less than that is a quiet stretch."""

_STAT = Path("/proc/stat")
_STOLEN_COLUMN = 7

T = TypeVar("T")


class Stretch(NamedTuple, Generic[T]):
    """What was measured, and the share of the processors' time that the host took meanwhile."""

    value: T
    stolen: float


def measure_stretch(measure: Callable[[], T]) -> Stretch[T]:
    began = _read_ticks()
    value = measure()
    ended = _read_ticks()
    spent = ended[0] - began[0]
    return Stretch(value, (ended[1] - began[1]) / spent if spent else 0.0)


def measure_until_quiet(measure: Callable[[], T], *, wanted: int, most: int) -> list[Stretch[T]]:
    """Stretches of `measure`: as many as it takes for `wanted` quiet ones, but at most `most`."""
    stretches: list[Stretch[T]] = []
    while len(stretches) < most and sum(s.stolen < QUIET for s in stretches) < wanted:
        stretches.append(measure_stretch(measure))
    return stretches


def choose_quiet(stretches: Sequence[Stretch[T]]) -> Sequence[Stretch[T]]:
    """The quiet ones; all where there are none."""
    return [stretch for stretch in stretches if stretch.stolen < QUIET] or stretches


def mean_stolen(stretches: Sequence[Stretch[T]]) -> float:
    """Percent of the time that was taken in these."""
    return sum(stretch.stolen for stretch in stretches) / len(stretches) * 100


def _read_ticks() -> tuple[int, int]:
    """Of all processors since the start: all time, and what the host took. Zeros where the system
    does not tell."""
    if not _STAT.exists():
        return 0, 0
    # user nice system idle iowait irq softirq steal; guests' time behind it is in user's
    ticks = [int(field) for field in _STAT.read_text().split(maxsplit=9)[1:9]]
    return sum(ticks), ticks[_STOLEN_COLUMN]
