"""One look at a deploy: every endpoint judged, and what they come to together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from miniapm.domain.impact.beside import is_beside, judge_beside
from miniapm.domain.impact.moments import DayRates
from miniapm.domain.impact.rules import LARGEST_UNSEEN, Measured, judge_endpoint
from miniapm.domain.impact.segments import MinuteSums, Segment
from miniapm.domain.impact.shifts import LEAST_REQUESTS
from miniapm.domain.impact.swings import GUESSED, Swings
from miniapm.domain.impact.values import EndpointImpact, ErrorImpact, Look, Verdict, Window
from miniapm.domain.impact.windows import Plan, cut_blocks

LEAST_SHARE = 0.01
"""Endpoints with less of the requests, and few of them, are shown but do not decide."""
SEEN_SHARE = 0.8
"""`unchanged` speaks for so much of the traffic."""
_ORDER: tuple[Verdict, ...] = ("regressed", "improved", "not_enough_data", "unchanged")


class EndpointPast(NamedTuple):
    """What is known of an endpoint: its minutes around the deploy, the requests of the day before,
    and how it swings (by look; empty while that is not known). `own` and `others` are the minutes
    of the deploy's version and of all others, None where telemetry does not tell them apart."""

    endpoint_id: int
    name: str
    minutes: MinuteSums
    day: DayRates
    swings: dict[int, Swings]
    own: MinuteSums | None = None
    others: MinuteSums | None = None


def look_at(
    plan: Plan,
    look: int,
    endpoints: Iterable[EndpointPast],
    errors: Sequence[ErrorImpact],
    least_us: float,
) -> Look:
    """What can be said of a deploy `look` minutes after its warm-up. `minutes` of the endpoints
    cover the windows of `plan` and of the look; `least_us` is the smallest move that counts."""
    after = plan.after(look)
    blocks = cut_blocks(after)
    judged = [_judge(plan, look, past, after, blocks, least_us) for past in endpoints]
    total = sum(impact.requests_after for impact in judged)
    judged = [_weigh(impact, total) for impact in judged if _is_there(impact)]
    judged.sort(key=_rank)
    smallest = find_smallest_visible(judged)
    return Look(
        minutes=look,
        verdict=_fold(judged, errors, smallest),
        is_learning=any(i.is_learning for i in judged if i.counts),
        after=after,
        endpoints=tuple(judged),
        errors=tuple(errors),
        smallest_visible_change=smallest,
    )


def _judge(
    plan: Plan,
    look: int,
    past: EndpointPast,
    after: Window,
    blocks: Sequence[Window],
    least_us: float,
) -> EndpointImpact:
    pieces = past.minutes.cut_all(plan.pieces)
    whole = past.minutes.cut(after)
    swings = past.swings.get(look, GUESSED)
    measured = _judge_beside(past, after, blocks, look, least_us)
    same_time = measured is not None
    if measured is None:
        measured = judge_endpoint(
            pieces, past.minutes.cut_all(blocks), whole, past.day, swings, look, least_us
        )
    before = sum(piece.count for piece in pieces)
    return EndpointImpact(
        endpoint_id=past.endpoint_id,
        name=past.name,
        verdict=measured.verdict if measured else "not_enough_data",
        requests_before=before,
        requests_after=whole.count,
        minutes_before=len(pieces) * 10,
        minutes_after=look,
        share=0.0,
        counts=False,
        is_learning=swings.is_learning and not same_time,
        changes=measured.changes if measured else (),
        smallest_visible_change=measured.smallest_visible_change if measured else None,
        same_time=same_time,
        note="" if measured else _tell_why(pieces, before, whole.count),
    )


def _judge_beside(
    past: EndpointPast, after: Window, blocks: Sequence[Window], look: int, least_us: float
) -> Measured | None:
    """The versions against each other, where both served long enough at the same time."""
    if past.own is None or past.others is None:
        return None
    own, others = past.own.cut_all(blocks), past.others.cut_all(blocks)
    if not is_beside(own, others):
        return None
    return judge_beside(own, others, past.own.cut(after), past.others.cut(after), look, least_us)


def _tell_why(pieces: Sequence[Segment], before: int, after: int) -> str:
    if not pieces:
        return "the previous deploy is too near"
    if not before:
        return "new: nothing to compare with"
    if not after:
        return "no requests after the deploy"
    few, when = (before, "before") if before < LEAST_REQUESTS else (after, "after")
    return f"only {few} requests {when} the deploy; it takes {LEAST_REQUESTS}"


def _is_there(impact: EndpointImpact) -> bool:
    return bool(impact.requests_before or impact.requests_after)


def _weigh(impact: EndpointImpact, total: int) -> EndpointImpact:
    share = impact.requests_after / total if total else 0.0
    counts = share >= LEAST_SHARE or impact.requests_after >= LEAST_REQUESTS
    return msgspec.structs.replace(impact, share=share, counts=counts)


def _rank(impact: EndpointImpact) -> tuple[bool, int, float, int]:
    """What matters first: those that decide, by verdict, the largest change, the most requests."""
    largest = max((change.score for change in impact.changes), default=0.0)
    return not impact.counts, _ORDER.index(impact.verdict), -largest, -impact.requests_after


def find_smallest_visible(endpoints: Sequence[EndpointImpact]) -> float | None:
    """The slow-down that would have been seen on the endpoints with SEEN_SHARE of the requests;
    None where so many could not be judged."""
    total = sum(impact.requests_after for impact in endpoints)
    seen = 0
    visible = [
        (impact.smallest_visible_change, impact.requests_after)
        for impact in endpoints
        if impact.smallest_visible_change is not None
    ]
    for smallest, requests in sorted(visible):
        seen += requests
        if seen >= SEEN_SHARE * total:
            return smallest
    return None


def _fold(
    endpoints: Sequence[EndpointImpact], errors: Sequence[ErrorImpact], smallest: float | None
) -> Verdict:
    verdicts = {impact.verdict for impact in endpoints if impact.counts}
    if "regressed" in verdicts or any(error.counts for error in errors):
        return "regressed"
    if "improved" in verdicts:
        return "improved"
    if smallest is None or smallest > LARGEST_UNSEEN:
        return "not_enough_data"
    return "unchanged"
