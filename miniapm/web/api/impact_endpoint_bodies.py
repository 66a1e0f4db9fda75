"""The JSON of what a deploy did to each endpoint: the evidence in its verdict."""

from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.domain.impact.values import Change, EndpointImpact, Metric, Verdict
from miniapm.web.api.deploy_bodies import Id

Share = Annotated[float | None, Meta(description="0.42 is +42 %")]


class MetricChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a metric of an endpoint moved. Percentiles are in µs, error rates shares of requests.

    `usual` is how far it moves at `moments` without a deploy (a logarithm; for errors a z); `score`
    counts these, and from `limit` on it is a change. The rule would have fired at `fired` of the
    moments.
    """

    metric: Metric
    verdict: Verdict
    before: float
    after: float
    change: Share
    shift: float
    typical: float
    usual: float
    score: float
    limit: float
    moments: int
    fired: int
    blocks: Annotated[
        list[float | None],
        Meta(description="The five blocks after the deploy; null without requests"),
    ]
    shifted: Annotated[int, Meta(description="How many of the blocks moved so")]
    smallest_visible_change: Share
    failed_before: int
    failed_after: int


class EndpointImpactBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy did to one endpoint."""

    endpoint_id: Id
    name: str
    verdict: Verdict
    requests_before: int
    requests_after: int
    minutes_before: int
    minutes_after: int
    share: Annotated[float, Meta(description="Of the requests after the deploy")]
    counts: Annotated[bool, Meta(description="Whether it has the traffic to decide")]
    learning: bool
    p50_before_us: int | None
    p50_after_us: int | None
    p95_before_us: int | None
    p95_after_us: int | None
    error_rate_before: float | None
    error_rate_after: float | None
    changes: list[MetricChangeBody]
    smallest_visible_change: Share
    same_time: Annotated[bool, Meta(description="Old and new version served together")]
    note: str


def to_endpoint_body(impact: EndpointImpact) -> EndpointImpactBody:
    p50, p95 = impact.find_change("p50"), impact.find_change("p95")
    rate = impact.find_change("error_rate")
    return EndpointImpactBody(
        endpoint_id=str(impact.endpoint_id),
        name=impact.name,
        verdict=impact.verdict,
        requests_before=impact.requests_before,
        requests_after=impact.requests_after,
        minutes_before=impact.minutes_before,
        minutes_after=impact.minutes_after,
        share=impact.share,
        counts=impact.counts,
        learning=impact.is_learning,
        p50_before_us=None if p50 is None else round(p50.before),
        p50_after_us=None if p50 is None else round(p50.after),
        p95_before_us=None if p95 is None else round(p95.before),
        p95_after_us=None if p95 is None else round(p95.after),
        error_rate_before=None if rate is None else rate.before,
        error_rate_after=None if rate is None else rate.after,
        changes=[_to_change(change) for change in impact.changes],
        smallest_visible_change=impact.smallest_visible_change,
        same_time=impact.same_time,
        note=impact.note,
    )


def _to_change(change: Change) -> MetricChangeBody:
    return MetricChangeBody(
        metric=change.metric,
        verdict=change.verdict,
        before=change.before,
        after=change.after,
        change=change.after / change.before - 1 if change.before else None,
        shift=change.shift,
        typical=change.typical,
        usual=change.usual,
        score=change.score,
        limit=change.limit,
        moments=change.moments,
        fired=change.fired,
        blocks=list(change.blocks),
        shifted=change.shifted,
        smallest_visible_change=change.smallest_visible_change,
        failed_before=change.failed_before,
        failed_after=change.failed_after,
    )
