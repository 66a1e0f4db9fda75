"""What a verdict rests on, each figure as it was compared: a person can do the sum again.

Shifts are logarithms; what is told of them are the percentages that they come to.
"""

from math import exp

from miniapm.domain.impact.beside import LEAST_BLOCKS
from miniapm.domain.impact.shifts import LEAST_SHIFT, POOL_BELOW
from miniapm.domain.impact.swings import LIMITS
from miniapm.domain.impact.values import Change, EndpointImpact, ErrorImpact, Look
from miniapm.domain.impact.windows import BLOCKS
from miniapm.domain.percents import tell_change as tell_moved
from miniapm.domain.percents import tell_share

_NUMBER_WORDS = {1: "one", 2: "two", 6: "six", 12: "twelve"}
_BESIDE = "on the other version at the same time"
_ROUNDING = 1e-9


def tell_change(endpoint: EndpointImpact, change: Change, look: int) -> str:
    """How one metric of an endpoint moved at a look, and what makes that a change."""
    if change.metric == "error_rate":
        return _tell_failed(endpoint, change, look)
    told = _tell_beside if endpoint.same_time else _tell_moved
    return f"{endpoint.name}: {change.metric} {told(endpoint, change, look)}."


def tell_error(error: ErrorImpact, look: Look) -> str:
    """An error that began or came back with the deploy."""
    times = "once" if error.count == 1 else f"{error.count:,} times"
    word = "New error" if error.is_new else "Resolved error that came back:"
    where = f" in {error.culprit}" if error.culprit else ""
    past = "; not seen in the 30 days before" if error.is_new else ""
    blocks = f"{error.blocks} of {BLOCKS} {_name_blocks(look.minutes)}"
    return f"{word} {error.exception_class}{where}: {times} in {blocks}{past}."


def tell_us(us: float) -> str:
    """A duration as people read it."""
    if us < 999.5:
        return f"{us:.0f} µs"
    ms = us / 1000
    if ms < 99.95:
        return f"{ms:.1f} ms"
    return f"{ms:,.0f} ms" if ms < 9_999.5 else f"{ms / 1000:,.1f} s"


def find_move(change: Change) -> float:
    """How much higher it is: 0.42 for +42 %."""
    return change.after / change.before - 1


def _tell_failed(endpoint: EndpointImpact, change: Change, look: int) -> str:
    against = _BESIDE if endpoint.same_time else "before"
    return (
        f"{endpoint.name}: {tell_share(change.before)} to {tell_share(change.after)} of "
        f"requests failed ({change.failed_before:,} {against}, {change.failed_after:,} after, in "
        f"{change.shifted} of {BLOCKS} {_name_blocks(look)}){_tell_fired(change)}."
    )


def _tell_moved(endpoint: EndpointImpact, change: Change, look: int) -> str:
    usual = _tell_swing(change, max(change.typical + change.usual, 0))
    swing = f"its usual swing is not known yet, taken as {usual}"
    if change.moments:
        swing = f"usual swing on this endpoint {usual}"
    return (
        f"{tell_us(change.before)} to {tell_us(change.after)} ({tell_moved(find_move(change))}), "
        f"{_tell_steady(endpoint, change, look)}; {swing}, called from "
        f"{_tell_limit(change, LIMITS[look].least_shift)} on{_tell_fired(change)}"
    )


def _tell_beside(endpoint: EndpointImpact, change: Change, look: int) -> str:
    return (
        f"{tell_us(change.before)} {_BESIDE}, {tell_us(change.after)} on this one "
        f"({tell_moved(find_move(change))}), at least {_tell_shift(change)} in {LEAST_BLOCKS} of "
        f"the {_name_blocks(look)} that both served; by chance they differ by "
        f"{_tell_swing(change, change.usual)} at most, called from "
        f"{_tell_limit(change, LEAST_SHIFT)} on"
    )


def _tell_steady(endpoint: EndpointImpact, change: Change, look: int) -> str:
    """The part of the move that was judged: what (nearly) all blocks show."""
    steady = _tell_shift(change)
    if endpoint.requests_after < POOL_BELOW:
        return (
            f"at least {steady} from the last hour and the last ten minutes alike, all "
            f"{_name_blocks(look)} together for want of requests"
        )
    reached = [_is_reached(block, change) for block in change.blocks]
    begun = " from the first one" if reached[0] else ""
    return f"at least {steady} in {sum(reached)} of {BLOCKS} {_name_blocks(look)}{begun}"


def _is_reached(block: float | None, change: Change) -> bool:
    if block is None:
        return False
    parts = block / change.before / exp(change.shift)
    return parts >= 1 - _ROUNDING if change.shift > 0 else parts <= 1 + _ROUNDING


def _tell_shift(change: Change) -> str:
    return tell_moved(exp(change.shift) - 1)


def _tell_swing(change: Change, swing: float) -> str:
    return tell_share(abs(exp(swing if change.shift > 0 else -swing) - 1))


def _tell_limit(change: Change, least_shift: float) -> str:
    """From where on the rule calls it a change."""
    limit = max(change.typical + change.limit * change.usual, least_shift)
    return tell_moved(exp(limit if change.shift > 0 else -limit) - 1)


def _tell_fired(change: Change) -> str:
    if not change.moments:
        return ""
    of = "failures" if change.metric == "error_rate" else change.metric
    return (
        f"; this rule would have fired at {change.fired:,} of {change.moments:,} moments without "
        f"a deploy ({of} of this endpoint alone)"
    )


def _name_blocks(look: int) -> str:
    block = look // BLOCKS
    return f"{_NUMBER_WORDS.get(block, block)}-minute blocks"
