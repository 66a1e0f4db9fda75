"""Old and new version serving at the same time: compared with each other, minute by minute.

Whatever swings for both of them cancels, so the past is not asked: what is left to chance is which
requests each of them got.
"""

from collections.abc import Sequence
from math import exp, hypot

from miniapm.domain.impact.moments import MEDIAN, P95
from miniapm.domain.impact.rules import LARGEST_UNSEEN, Measured
from miniapm.domain.impact.segments import Segment
from miniapm.domain.impact.shifts import (
    LEAST_REQUESTS,
    LEAST_SHIFT,
    BaseRate,
    measure_errors,
)
from miniapm.domain.impact.swings import LIMITS
from miniapm.domain.impact.values import Change, Metric, Verdict

LEAST_SHARE = 0.1
"""Of the requests: with less, one of the versions only straggles."""
LEAST_BLOCKS = 4
_LEAST_CHANCE = 0.03
_CHANCE = 2.33
"""Standard errors within which 99 % lie."""


def is_beside(own: Sequence[Segment], others: Sequence[Segment]) -> bool:
    """Whether both versions served enough in the same blocks to be compared."""
    counts = [sum(block.count for block in blocks) for blocks in (own, others)]
    both = sum(1 for one, other in zip(own, others, strict=True) if one.count and other.count)
    enough = min(counts) >= max(LEAST_REQUESTS, LEAST_SHARE * sum(counts))
    return enough and both >= LEAST_BLOCKS


def judge_beside(
    own_blocks: Sequence[Segment],
    other_blocks: Sequence[Segment],
    own: Segment,
    other: Segment,
    look: int,
    least_us: float,
) -> Measured:
    """The new version against the others; `before` of the changes is what those did meanwhile."""
    quantiles: tuple[tuple[Metric, float], ...] = (("p50", MEDIAN), ("p95", P95))
    latency = [
        _judge_latency(metric, share, own_blocks, other_blocks, own, other, look, least_us)
        for metric, share in quantiles
    ]
    changes = (*latency, _judge_errors(own_blocks, own, other, look))
    verdicts = {change.verdict for change in changes}
    smallest = latency[0].smallest_visible_change
    verdict: Verdict = "unchanged"
    if "regressed" in verdicts:
        verdict = "regressed"
    elif "improved" in verdicts:
        verdict = "improved"
    elif smallest is None or smallest > LARGEST_UNSEEN:
        verdict = "not_enough_data"
    return Measured(verdict, changes, smallest)


def _judge_latency(
    metric: Metric,
    share: float,
    own_blocks: Sequence[Segment],
    other_blocks: Sequence[Segment],
    own: Segment,
    other: Segment,
    look: int,
    least_us: float,
) -> Change:
    moves = sorted(
        mine.ln_quantile(share) - theirs.ln_quantile(share)
        for mine, theirs in zip(own_blocks, other_blocks, strict=True)
        if mine.count and theirs.count
    )
    # all but one of five blocks show it, or all of four
    spare = len(moves) - LEAST_BLOCKS
    up, down = moves[spare], -moves[-1 - spare]
    chance = max(
        _LEAST_CHANCE,
        _CHANCE * hypot(own.spread_of_quantile(share), other.spread_of_quantile(share)),
    )
    before = exp(other.ln_quantile(share))
    slower = up >= down
    moved = up if slower else down
    limit = LIMITS[look].of(metric)
    enough = before * abs(exp(moved if slower else -moved) - 1) >= least_us
    is_change = moved >= max(LEAST_SHIFT, limit * chance) and enough
    visible = max(exp(max(LEAST_SHIFT, limit * chance)) - 1, least_us / before)
    return Change(
        metric=metric,
        verdict=("regressed" if slower else "improved") if is_change else "unchanged",
        before=before,
        after=exp(own.ln_quantile(share)),
        shift=moved if slower else -moved,
        typical=0.0,
        usual=chance,
        score=moved / chance,
        limit=limit,
        moments=0,
        fired=0,
        blocks=tuple(exp(b.ln_quantile(share)) if b.count else None for b in own_blocks),
        shifted=sum(1 for move in moves if (move if slower else -move) >= LEAST_SHIFT),
        smallest_visible_change=visible,
    )


def _judge_errors(own_blocks: Sequence[Segment], own: Segment, other: Segment, look: int) -> Change:
    shift = measure_errors(BaseRate(other.failed, other.count), own_blocks, own)
    limit = LIMITS[look].errors
    score = shift.z / _CHANCE
    return Change(
        metric="error_rate",
        verdict="regressed" if shift.passes and score >= limit else "unchanged",
        before=shift.before,
        after=shift.after,
        shift=shift.z,
        typical=0.0,
        usual=_CHANCE,
        score=score,
        limit=limit,
        moments=0,
        fired=0,
        blocks=shift.blocks,
        shifted=sum(1 for block in own_blocks if block.failed),
        smallest_visible_change=None,
        failed_before=other.failed,
        failed_after=own.failed,
    )
