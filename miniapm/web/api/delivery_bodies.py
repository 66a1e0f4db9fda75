"""The JSON of the delivery metrics: what the API takes and answers, and what its document is made
from."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.delivery.bands import BAND_YEAR, FEWEST_DEPLOYS, Level, find_bands
from miniapm.domain.delivery.behind import LEFT_OUT_LISTS, LISTS, Behind, LeftOutList
from miniapm.domain.delivery.metrics import Metrics
from miniapm.domain.delivery.periods import PERIOD_NAMES, PeriodName
from miniapm.domain.delivery.summary import PeriodMetrics, Summary
from miniapm.storage.delivery.left_out import LeftOut
from miniapm.web.api.deploy_bodies import DateTime, Page
from miniapm.web.api.queries import Name, Since, Slug, Until

Share = Annotated[float | None, Meta(description="From 0 to 1; null without a deploy")]
Micros = Annotated[int | None, Meta(description="µs; null where there is none")]
Range = Literal["1h", "6h", "24h", "7d", "30d", "90d"]
ZoneName = Annotated[str, Meta(max_length=100, extra={"rule": "must be an IANA name"})]
_RANGES = "must be 1h, 6h, 24h, 7d, 30d or 90d"


class StretchQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Of which deploys: 90 days to production environments unless said otherwise. A date stands
    for midnight in `tz`."""

    project: Slug | None = None
    env: (
        Annotated[Name, Meta(description="Default: those in `delivery.production_environments`")]
        | None
    ) = None
    service: Name | None = None
    since: Since | None = None
    until: Until | None = None
    from_: Annotated[str, Meta(description="The same as `since`")] | None = None
    to: Annotated[str, Meta(description="The same as `until`")] | None = None
    range: (
        Annotated[
            Range,
            Meta(
                description="Back from now, widened to begin with a whole period, as the "
                "`since` of the answer says; not together with instants",
                extra={"rule": _RANGES},
            ),
        ]
        | None
    ) = None
    period: (
        Annotated[
            PeriodName,
            Meta(
                description="How the time is cut; default the one that fits it. Weeks begin on "
                "Monday. At most 400: beyond, periods are longer, and the answer says which",
                extra={"rule": f"must be {', '.join(PERIOD_NAMES)}"},
            ),
        ]
        | None
    ) = None
    tz: Annotated[ZoneName, Meta(description="IANA name; days begin there at midnight")] = "UTC"


class BehindQuery(StretchQuery, frozen=True, kw_only=True):
    """What the list of deploys behind a number takes."""

    list: Annotated[
        Behind | LeftOutList,
        Meta(
            description="Which deploys: `deploys` are all that count, `left_out.hidden` those that "
            "this field counts",
            extra={"rule": f"must be one of {', '.join((*LISTS, *LEFT_OUT_LISTS))}"},
        ),
    ] = "deploys"
    limit: Annotated[
        int, Meta(ge=1, le=500, extra={"rule": "must be a whole number from 1 to 500"})
    ] = 50
    cursor: Annotated[str, Meta(description="`next_cursor` of the page before")] | None = None


class FrequencyBody(msgspec.Struct, frozen=True):
    """`deploys` in `days` of the calendar, counted from the first deploy on."""

    deploys: int
    days: int
    per_day: Annotated[float | None, Meta(description="null where no day was watched")]


class LeadTimeBody(msgspec.Struct, frozen=True):
    """What `commits` waited. Of `approximate` deploys only the deployed commit is known."""

    commits: int
    median_us: Micros
    p90_us: Micros
    approximate: int


class RateBody(msgspec.Struct, frozen=True):
    """`part` of `whole` deploys."""

    part: int
    whole: int
    share: Share


class RecoveryBody(msgspec.Struct, frozen=True):
    """The median of failed deploys that `recovered`; the `open` ones have not yet."""

    recovered: int
    open: int
    median_us: Micros


class MetricsBody(msgspec.Struct, frozen=True):
    """The five, each with its n."""

    deployment_frequency: FrequencyBody
    change_lead_time: LeadTimeBody
    change_fail_rate: RateBody
    failed_deployment_recovery_time: RecoveryBody
    deployment_rework_rate: RateBody


class BandsBody(msgspec.Struct, frozen=True):
    """Where the numbers stood in DORA's report of `year`; null below `fewest_deploys`."""

    year: int
    fewest_deploys: int
    deployment_frequency: Level | None
    change_lead_time: Level | None
    change_fail_rate: Level | None
    failed_deployment_recovery_time: Level | None


class PeriodBody(msgspec.Struct, frozen=True):
    """A day, week or month. `metrics` is null where nothing was deployed yet; `is_complete` is
    false where it is cut or not over."""

    since: DateTime
    until: DateTime
    is_complete: bool
    metrics: MetricsBody | None


class LeftOutBody(msgspec.Struct, frozen=True):
    """How many deploys stand in no number, each under the first reason that holds."""

    hidden: int
    other_environments: int
    left_out: Annotated[int, Meta(description="Only GitHub told of them, beside the API")]
    failed: int
    cancelled: int
    timed_out: int
    started: int
    redeploys: int


class DeliveryBody(msgspec.Struct, frozen=True, kw_only=True):
    """The five metrics of since ≤ t < until, whole and period by period, oldest first."""

    project: str
    env: str | None
    service: str | None
    envs: Annotated[
        list[str],
        Meta(
            description="The environments that count and have deploys, be it at another time; none "
            "where nothing was ever deployed to what is asked for"
        ),
    ]
    period: PeriodName
    tz: str
    since: DateTime
    until: DateTime
    metrics: MetricsBody
    bands: BandsBody
    periods: list[PeriodBody]
    services: Annotated[
        dict[str, MetricsBody], Meta(description="By service, of those with deploys that count")
    ]
    left_out: LeftOutBody
    page: Page


def to_metrics_body(metrics: Metrics) -> MetricsBody:
    return MetricsBody(
        FrequencyBody(*metrics.deployment_frequency),
        LeadTimeBody(*metrics.change_lead_time),
        RateBody(*metrics.change_fail_rate),
        RecoveryBody(*metrics.failed_deployment_recovery_time),
        RateBody(*metrics.deployment_rework_rate),
    )


def to_bands_body(summary: Summary) -> BandsBody:
    return BandsBody(BAND_YEAR, FEWEST_DEPLOYS, *find_bands(summary.whole))


def to_period_body(one: PeriodMetrics) -> PeriodBody:
    metrics = None if one.metrics is None else to_metrics_body(one.metrics)
    begin, end = (to_rfc3339(instant) for instant in one.period)
    return PeriodBody(begin, end, one.is_complete, metrics)


def to_left_out_body(left_out: LeftOut) -> LeftOutBody:
    return LeftOutBody(**left_out._asdict())
