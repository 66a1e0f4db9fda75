"""The week cut into steps: what reaches the server until an instant, in the order of time."""

from collections.abc import Iterator
from typing import NamedTuple

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.demo.story import WEEK
from miniapm.domain.demo.values import PRODUCTION, DemoDeploy

STEP = 6 * HOUR
TRACED_WHOLLY = 45 * MINUTE
"""So far back every request is told in spans; before that, one of some."""
_OFTEN, _OF_A_DAY, _ELSE = 0.1, 0.015, 0.004
_DAY = 24 * HOUR
_CLOSE_UP = (20 * MINUTE, 60 * MINUTE)
# whoever looks at these wants to see requests
_CLOSELY = frozenset({"v2.28.0", "v2.30.0", "v2.32.0", "v2.32.1"})
# minutes after a deploy at which it is looked at what it did
_LOOKS = (13, 33, 63)


class Span(NamedTuple):
    """since <= t < until, in µs before now (negative): whole minutes but for the last instant."""

    since: int
    until: int


def cut_steps(deploys: list[DemoDeploy], phase: int) -> Iterator[Span]:
    """Steps that end at every look at a deploy to production, and else every six hours; `phase` is
    how far now is into its hour (µs)."""
    ends = {end - phase for end in range(-WEEK + STEP, STEP, STEP)} | {0}
    for deploy in deploys:
        if deploy.lane.env == PRODUCTION and deploy.status == "succeeded":
            minute = deploy.at - deploy.at % MINUTE + MINUTE
            ends |= {minute + look * MINUTE for look in _LOOKS}
    since = -WEEK
    for until in sorted(end for end in ends if -WEEK < end <= 0):
        yield Span(since, until)
        since = until


def find_close_ups(deploys: list[DemoDeploy]) -> list[Span]:
    """The times around the deploys that are looked at closely."""
    return [
        Span(deploy.at - _CLOSE_UP[0], deploy.at + _CLOSE_UP[1])
        for deploy in deploys
        if deploy.version in _CLOSELY and deploy.lane.env == PRODUCTION
    ]


def find_traced_share(close_ups: list[Span], env: str, before: int) -> float:
    """Which share of the requests of a minute is told in spans; `before` in µs before now."""
    if env != PRODUCTION or before >= -TRACED_WHOLLY:
        return 1.0
    if any(span.since <= before < span.until for span in close_ups):
        return _OFTEN
    return _OF_A_DAY if before >= -_DAY else _ELSE
