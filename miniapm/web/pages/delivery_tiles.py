"""The five tiles of the delivery page, each a number with its n, its band and its trend; and the
same figures as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from miniapm.clock import to_rfc3339
from miniapm.domain.counts import tell_count
from miniapm.domain.delivery.bands import find_bands
from miniapm.domain.delivery.behind import Behind
from miniapm.domain.delivery.metrics import Metrics, Rate
from miniapm.domain.delivery.periods import Period, PeriodName
from miniapm.domain.delivery.summary import PeriodMetrics, Summary
from miniapm.web.charts import NO_VALUE
from miniapm.web.delivery_stretch import Shown
from miniapm.web.pages.delivery_query import DeliveryQuery
from miniapm.web.pages.delivery_words import (
    NO_DATA,
    TO,
    draw_columns,
    tell_band,
    tell_frequency,
    tell_period,
    tell_rate,
    tell_wait,
)
from miniapm.web.time_zone import Zone

_METRICS = Metrics._fields
_TITLES = (
    "Deployment frequency",
    "Change lead time",
    "Change fail rate",
    "Failed deployment recovery time",
    "Deployment rework rate",
)
_LISTS: tuple[Behind, ...] = ("deploys", "lead_times", "failed", "recovered", "rework")


@dataclass(frozen=True, slots=True)
class Tile:
    """One metric. `note` says what the number is of, `count` is its n; `behind` the list of exactly
    those deploys. `band` is "" for none."""

    name: str
    title: str
    value: str
    note: str
    count: str
    behind: Behind
    band: str
    trend: Markup
    first: str
    last: str


class PeriodRow(NamedTuple):
    """A period in the table. `note` is "" for a whole one; `query` leads to it alone; there are no
    `cells` where nothing was deployed yet."""

    words: str
    query: str
    note: str
    cells: tuple[str, ...]


def make_tiles(summary: Summary, period: PeriodName, zone: Zone) -> tuple[Tile, ...]:
    bands = find_bands(summary.whole)
    labels = [tell_period(one.period, period, zone) for one in summary.periods]
    return tuple(
        Tile(
            name=name,
            title=title,
            value=_TOLD[name](summary.whole),
            note=_NOTES[name](summary.whole),
            count=_COUNTS[name](summary.whole),
            behind=behind,
            band=tell_band(getattr(bands, name, None)),
            trend=_draw_trend(name, title, summary.periods, labels),
            first=labels[0].partition(TO)[0] if labels else "",
            last=labels[-1].rpartition(TO)[2] if labels else "",
        )
        for name, title, behind in zip(_METRICS, _TITLES, _LISTS, strict=True)
    )


def make_rows(
    summary: Summary, shown: Shown, zone: Zone, query: DeliveryQuery
) -> tuple[PeriodRow, ...]:
    """The periods, newest first."""
    return tuple(
        PeriodRow(
            tell_period(one.period, shown.period, zone),
            _link_period(one.period, shown, query),
            "" if one.is_complete else "not whole",
            tell_metrics(one.metrics) if one.metrics is not None else (),
        )
        for one in reversed(summary.periods)
    )


def _link_period(period: Period, shown: Shown, query: DeliveryQuery) -> str:
    """What of `period` is shown, by itself."""
    begin, end = max(period.since, shown.asked.since), min(period.until, shown.asked.until)
    instants = {"from": to_rfc3339(begin), "to": to_rfc3339(end)}
    return query.query(range="", period="", **instants)


def tell_metrics(metrics: Metrics) -> tuple[str, ...]:
    """The five values, each with its n."""
    return tuple(_tell_cell(name, metrics) for name in _METRICS)


def _tell_cell(name: str, metrics: Metrics | None) -> str:
    if metrics is None:
        return NO_VALUE
    if name == "deployment_frequency":
        return tell_count(metrics.deployment_frequency.deploys, "deploy")
    told = _TOLD[name](metrics)
    parts = [] if told == NO_DATA else [f"{told} ({_COUNTS[name](metrics)})"]
    if name == "failed_deployment_recovery_time" and metrics.failed_deployment_recovery_time.open:
        parts.append(f"{metrics.failed_deployment_recovery_time.open:,} open")
    return ", ".join(parts) or NO_VALUE


def _draw_trend(
    name: str, title: str, periods: Sequence[PeriodMetrics], labels: Sequence[str]
) -> Markup:
    values = [None if one.metrics is None else _VALUES[name](one.metrics) for one in periods]
    told = [
        f"{label}: {_tell_cell(name, one.metrics)}"
        for label, one in zip(labels, periods, strict=True)
    ]
    is_last_open = bool(periods) and not periods[-1].is_complete
    known = [label for label, value in zip(told, values, strict=True) if value is not None]
    about = f"{title}, {'; '.join(known[-3:]) or NO_DATA}"
    return draw_columns(values, told, len(values) - is_last_open, about)


_VALUES: dict[str, Callable[[Metrics], float | None]] = {
    "deployment_frequency": lambda m: m.deployment_frequency.deploys,
    "change_lead_time": lambda m: m.change_lead_time.median_us,
    "change_fail_rate": lambda m: m.change_fail_rate.share,
    "failed_deployment_recovery_time": lambda m: m.failed_deployment_recovery_time.median_us,
    "deployment_rework_rate": lambda m: m.deployment_rework_rate.share,
}
_TOLD: dict[str, Callable[[Metrics], str]] = {
    "deployment_frequency": lambda m: tell_frequency(m.deployment_frequency.per_day),
    "change_lead_time": lambda m: tell_wait(m.change_lead_time.median_us),
    "change_fail_rate": lambda m: tell_rate(m.change_fail_rate.share),
    "failed_deployment_recovery_time": lambda m: tell_wait(
        m.failed_deployment_recovery_time.median_us
    ),
    "deployment_rework_rate": lambda m: tell_rate(m.deployment_rework_rate.share),
}
_COUNTS: dict[str, Callable[[Metrics], str]] = {
    "deployment_frequency": lambda m: tell_count(m.deployment_frequency.deploys, "deploy"),
    "change_lead_time": lambda m: tell_count(m.change_lead_time.commits, "commit"),
    "change_fail_rate": lambda m: _tell_part(m.change_fail_rate),
    "failed_deployment_recovery_time": lambda m: (
        f"{m.failed_deployment_recovery_time.recovered:,} recovered"
    ),
    "deployment_rework_rate": lambda m: _tell_part(m.deployment_rework_rate),
}


def _tell_part(rate: Rate) -> str:
    return f"{rate.part:,} of {tell_count(rate.whole, 'deploy')}"


def _note_frequency(metrics: Metrics) -> str:
    days = metrics.deployment_frequency.days
    return f"in {tell_count(days, 'day')}" if days else ""


def _note_lead_time(metrics: Metrics) -> str:
    p90 = metrics.change_lead_time.p90_us
    return "" if p90 is None else f"median; nine of ten within {tell_wait(p90)}"


def _note_recovery(metrics: Metrics) -> str:
    recovery = metrics.failed_deployment_recovery_time
    parts = ["median"] * (recovery.median_us is not None)
    parts += [f"{recovery.open:,} still open"] * bool(recovery.open)
    return ", ".join(parts)


def _note_nothing(_: Metrics) -> str:
    return ""


_NOTES: dict[str, Callable[[Metrics], str]] = {
    "deployment_frequency": _note_frequency,
    "change_lead_time": _note_lead_time,
    "change_fail_rate": _note_nothing,
    "failed_deployment_recovery_time": _note_recovery,
    "deployment_rework_rate": _note_nothing,
}
