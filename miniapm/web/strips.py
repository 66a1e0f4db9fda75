"""The tiny chart of a row of the timeline: p95 and failed requests around a deploy.

Fifty of them stand on a page, so their paths are written short: whole numbers, relative to the
point before.
"""

from collections.abc import Sequence
from statistics import median
from typing import TypeVar

from markupsafe import Markup

from miniapm.clock import MINUTE
from miniapm.domain.impact.minutes import Strip
from miniapm.domain.parts import cut_in_parts

_STEP_US = 2 * MINUTE
_TOGETHER = 3
"""Steps that one point stands for."""
_WIDTH = 6
"""Of a point; two hours and the warm-up are 21 of them."""
_MIDDLE = 63
_HEIGHT = 20
_HIGHEST = 4
"""What is higher than so many times the middle one is cut: a spike would flatten all the rest."""
_LEAST_FAILED = 0.005
_ALL_FAILED = 0.2

T = TypeVar("T")


def draw_strip(strip: Strip) -> Markup:
    """An SVG of 126 x 20 with up to two paths: p95 with a gap where nothing was served, and a tick
    at the bottom where more than a few requests failed. The deploy is in the middle, where
    impact.css draws its line."""
    step_us = _STEP_US * _TOGETHER
    first = _MIDDLE - round((strip.deploy_at - strip.since) / step_us * _WIDTH)
    values = [_highest(part) for part in cut_in_parts(strip.p95_us, _TOGETHER)]
    failed = [max(part) for part in cut_in_parts(strip.failed, _TOGETHER)]
    line, ticks = _draw_line(_place(values, first)), _draw_ticks(_place(failed, first))
    return Markup('<svg aria-hidden="true"><path d="{}"/>{}</svg>').format(line, ticks)


def _place(values: Sequence[T], first: int) -> list[tuple[int, T]]:
    """Each with its x, those that can be seen."""
    placed = [(first + place * _WIDTH, value) for place, value in enumerate(values)]
    return [(x, value) for x, value in placed if 0 <= x < 2 * _MIDDLE]


def _highest(part: Sequence[int | None]) -> int | None:
    return max((value for value in part if value is not None), default=None)


def _draw_line(values: Sequence[tuple[int, int | None]]) -> str:
    known = [value for _, value in values if value is not None]
    if not known:
        return ""
    top = min(max(known), _HIGHEST * median(known)) or 1
    path: list[str] = []
    before: int | None = None
    for x, value in values:
        if value is None:
            before = None
            continue
        y = 1 + round((_HEIGHT - 2) * (1 - min(value, top) / top))
        path.append(f"M{x} {y}h1" if before is None else _move(y - before, path))
        before = y
    return "".join(path)


def _move(by: int, path: list[str]) -> str:
    """A line relative to the last point; the first of a piece has already gone 1 to the right."""
    begins = path[-1].startswith("M")
    right = _WIDTH - 1 if begins else _WIDTH
    # further pairs belong to the same command
    return f"{'l' if begins else ' '}{right}{' ' if by >= 0 else ''}{by}"


def _draw_ticks(failed: Sequence[tuple[int, float]]) -> Markup:
    ticks = [
        f"M{x} 20v-{2 + round(8 * min(1.0, share / _ALL_FAILED))}"
        for x, share in failed
        if share >= _LEAST_FAILED
    ]
    return Markup('<path d="{}"/>').format("".join(ticks)) if ticks else Markup("")
