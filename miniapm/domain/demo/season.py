"""How the traffic of the shop goes up and down, and how its times swing without any deploy."""

from math import cos, exp, pi
from random import Random

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.demo.story import WEEK, find_time, is_weekend
from miniapm.domain.demo.values import STAGING

_QUIET = 0.06
_BUSIEST = 15 * HOUR
_WEEKEND = 0.75
_STAGING = 0.015
_OFFICE = (9 * HOUR, 18 * HOUR)
# how much of the minute before stays, and what each minute adds
_STAYS, _ADDS = 0.97, 0.008
_UNDER_LOAD = 0.06


def list_traffic(env: str) -> list[float]:
    """For each minute of the week, the share of the busiest minute's requests that come in it."""
    return [_find_traffic(env, minute * MINUTE - WEEK) for minute in range(WEEK // MINUTE)]


def draw_swings(rng: Random, traffic: list[float]) -> list[float]:
    """For each minute of the week, how many times as long an endpoint takes as usual."""
    swings = []
    level = 0.0
    for load in traffic:
        level = _STAYS * level + rng.gauss(0, _ADDS)
        swings.append(exp(level + _UNDER_LOAD * load))
    return swings


def _find_traffic(env: str, before: int) -> float:
    time = find_time(before)
    if env == STAGING:
        return _STAGING if _OFFICE[0] <= time < _OFFICE[1] and not is_weekend(before) else 0.0
    day = (1 + cos(2 * pi * (time - _BUSIEST) / DAY)) / 2
    return (_QUIET + (1 - _QUIET) * day * day) * (_WEEKEND if is_weekend(before) else 1.0)
