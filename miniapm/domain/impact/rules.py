"""When a shift is a change: larger than the usual swing of that endpoint, and than a floor."""

from collections.abc import Sequence
from math import exp, hypot
from typing import NamedTuple

from miniapm.domain.impact.moments import MEDIAN, P95, DayRates, find_base_rate
from miniapm.domain.impact.segments import Segment
from miniapm.domain.impact.shifts import (
    LEAST_REQUESTS,
    LEAST_SHIFT,
    LatencyShift,
    find_baseline,
    measure_errors,
    measure_latency,
)
from miniapm.domain.impact.swings import (
    LEARNING_LIMIT,
    LIMITS,
    Swing,
    Swings,
    smallest_visible,
)
from miniapm.domain.impact.values import Change, Metric, Verdict
from miniapm.domain.impact.windows import SPARE_BLOCKS

LARGEST_UNSEEN = 0.5
"""`unchanged` is said only where a slow-down of so much would have been seen."""


class Measured(NamedTuple):
    """What can be said of one endpoint: its verdict, changes, and what it could have shown."""

    verdict: Verdict
    changes: tuple[Change, ...]
    smallest_visible_change: float | None


def judge_endpoint(
    pieces: Sequence[Segment],
    blocks: Sequence[Segment],
    whole: Segment,
    day: DayRates,
    swings: Swings,
    look: int,
    least_us: float,
) -> Measured | None:
    """One endpoint at one look; None with too few requests before or after."""
    if whole.count < LEAST_REQUESTS or sum(p.count for p in pieces) < LEAST_REQUESTS:
        return None
    quantiles: tuple[tuple[Metric, float, Swing, Swing, int], ...] = (
        ("p50", MEDIAN, swings.up50, swings.down50, swings.fired50),
        ("p95", P95, swings.up95, swings.down95, swings.fired95),
    )
    latency: list[Change] = []
    for metric, share, up, down, fired in quantiles:
        baseline = find_baseline(pieces, share)
        shift = measure_latency(baseline, blocks, whole, share, least_us, SPARE_BLOCKS[look])
        if not up.moments:
            up = down = _guess(up, pieces, whole, share)
        visible = _see(metric, up, look, exp(max(baseline)), least_us)
        latency.append(_judge_latency(metric, shift, up, down, fired, look, visible))
    changes = (*latency, _judge_errors(pieces, blocks, whole, day, swings, look))
    verdicts = {change.verdict for change in changes}
    smallest = latency[0].smallest_visible_change
    if "regressed" in verdicts:
        return Measured("regressed", changes, smallest)
    if "improved" in verdicts:
        return Measured("improved", changes, smallest)
    assert smallest is not None
    seen = smallest <= LARGEST_UNSEEN
    return Measured("unchanged" if seen else "not_enough_data", changes, smallest)


def _guess(guessed: Swing, pieces: Sequence[Segment], whole: Segment, share: float) -> Swing:
    """A swing that is not known yet, at least what chance alone makes of so few requests."""
    last = [piece for piece in pieces if piece.count][-1]
    chance = hypot(last.spread_of_quantile(share), whole.spread_of_quantile(share))
    return guessed._replace(usual=max(guessed.usual, chance))


def _see(metric: Metric, swing: Swing, look: int, base_us: float, least_us: float) -> float:
    limit = _limit_of(metric, swing, look)
    shift = smallest_visible(swing, limit, LIMITS[look].least_shift)
    return max(exp(shift) - 1, least_us / base_us)


def _limit_of(metric: Metric, swing: Swing, look: int) -> float:
    limit = LIMITS[look].of(metric)
    return limit if swing.moments else max(limit, LEARNING_LIMIT)


def _judge_latency(
    metric: Metric,
    shift: LatencyShift,
    up: Swing,
    down: Swing,
    fired: int,
    look: int,
    visible: float,
) -> Change:
    moved_up = shift.up >= shift.down
    swing, moved = (up, shift.up) if moved_up else (down, shift.down)
    limit = _limit_of(metric, swing, look)
    score = (moved - swing.typical) / swing.usual
    verdict: Verdict = "unchanged"
    if score >= limit and moved >= LIMITS[look].least_shift:
        verdict = "regressed" if moved_up else "improved"
    return Change(
        metric=metric,
        verdict=verdict,
        before=exp(shift.before),
        after=exp(shift.after),
        shift=moved if moved_up else -moved,
        typical=swing.typical,
        usual=swing.usual,
        score=score,
        limit=limit,
        moments=swing.moments,
        fired=fired if moved_up else 0,
        blocks=tuple(None if block is None else exp(block) for block in shift.blocks),
        shifted=_count_shifted(shift, moved_up),
        smallest_visible_change=visible,
    )


def _count_shifted(shift: LatencyShift, moved_up: bool) -> int:
    moved = [block - shift.before for block in shift.blocks if block is not None]
    return sum(1 for by in moved if (by if moved_up else -by) >= LEAST_SHIFT)


def _judge_errors(
    pieces: Sequence[Segment],
    blocks: Sequence[Segment],
    whole: Segment,
    day: DayRates,
    swings: Swings,
    look: int,
) -> Change:
    shift = measure_errors(find_base_rate(pieces, day), blocks, whole)
    limit = LIMITS[look].errors
    score = shift.z / swings.z.usual
    failed_before = sum(piece.failed for piece in pieces)
    return Change(
        metric="error_rate",
        verdict="regressed" if shift.passes and score >= limit else "unchanged",
        before=failed_before / sum(piece.count for piece in pieces),
        after=shift.after,
        shift=shift.z,
        typical=0.0,
        usual=swings.z.usual,
        score=score,
        limit=limit,
        moments=swings.z.moments,
        fired=swings.fired_errors,
        blocks=shift.blocks,
        shifted=sum(1 for block in blocks if block.failed),
        smallest_visible_change=None,
        failed_before=failed_before,
        failed_after=whole.failed,
    )
