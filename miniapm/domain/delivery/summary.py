"""The five metrics of a stretch of time, as a whole and period by period."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import chain
from typing import NamedTuple

from miniapm.domain.delivery.metrics import Metrics, measure
from miniapm.domain.delivery.periods import Period, PeriodName, count_days, cut_into_periods
from miniapm.domain.delivery.values import LeadTimes, Outcome


class Stretch(NamedTuple):
    """What since <= t < until (µs) held: outcomes and lead times by (at, id).

    `first_live` says by service when its first deploy that counts went live, be it before `since`.
    """

    since: int
    until: int
    first_live: Mapping[str, int]
    outcomes: Sequence[Outcome]
    lead_times: Sequence[LeadTimes]


class PeriodMetrics(NamedTuple):
    """A whole period with what of it lies in the stretch. `metrics` is None where nothing was
    watched yet; `is_complete` False where it is cut, or not over."""

    period: Period
    is_complete: bool
    metrics: Metrics | None
    outcomes: Sequence[Outcome]
    lead_times: Sequence[LeadTimes]


class Summary(NamedTuple):
    whole: Metrics
    periods: list[PeriodMetrics]


def summarise(stretch: Stretch, period: PeriodName, zone: tzinfo, now: int) -> Summary:
    """A frequency counts the days from the first deploy on, and none that are still to come."""
    found: list[PeriodMetrics] = []
    waits: list[int] = []
    for one in cut_into_periods(stretch.since, stretch.until, period, zone):
        part = _cut(stretch, one)
        # sorted parts first: the sort of the whole is then little more than merging them
        waited = sorted(chain.from_iterable(lead.waits for lead in part.lead_times))
        waits += waited
        metrics = _measure(part, waited, zone, now)
        found.append(
            PeriodMetrics(
                one,
                (part.since, part.until) == one and part.until <= now,
                metrics if metrics.deployment_frequency.days else None,
                part.outcomes,
                part.lead_times,
            )
        )
    waits.sort()
    return Summary(_measure(stretch, waits, zone, now), found)


def measure_services(stretch: Stretch, zone: tzinfo, now: int) -> dict[str, Metrics]:
    """The metrics of each service that has deploys in the stretch, by its name."""
    outcomes: dict[str, list[Outcome]] = {}
    service_of: dict[int, str] = {}
    for outcome in stretch.outcomes:
        service = outcome.deploy.service
        outcomes.setdefault(service, []).append(outcome)
        service_of[outcome.deploy.id] = service
    lead_times: dict[str, list[LeadTimes]] = {}
    for lead in stretch.lead_times:
        lead_times.setdefault(service_of[lead.deploy_id], []).append(lead)
    found = {}
    for service, its_outcomes in sorted(outcomes.items()):
        its_lead_times = lead_times.get(service, [])
        waits = sorted(chain.from_iterable(lead.waits for lead in its_lead_times))
        part = stretch._replace(
            first_live={service: stretch.first_live[service]},
            outcomes=its_outcomes,
            lead_times=its_lead_times,
        )
        found[service] = _measure(part, waits, zone, now)
    return found


def _cut(stretch: Stretch, period: Period) -> Stretch:
    since, until = max(period.since, stretch.since), min(period.until, stretch.until)
    outcomes, lead_times = stretch.outcomes, stretch.lead_times
    first, end = (bisect_left(outcomes, at, key=_outcome_at) for at in (since, until))
    lead, lead_end = (bisect_left(lead_times, at, key=_lead_at) for at in (since, until))
    return Stretch(since, until, stretch.first_live, outcomes[first:end], lead_times[lead:lead_end])


def _measure(stretch: Stretch, waits: Sequence[int], zone: tzinfo, now: int) -> Metrics:
    approximate = sum(lead.is_approximate for lead in stretch.lead_times)
    return measure(stretch.outcomes, waits, approximate, _count_watched(stretch, zone, now))


def _outcome_at(outcome: Outcome) -> int:
    return outcome.deploy.at


def _lead_at(lead: LeadTimes) -> int:
    return lead.at


def _count_watched(stretch: Stretch, zone: tzinfo, now: int) -> int:
    if not stretch.first_live:
        return 0
    # a deploy may be dated a little ahead
    latest = max([now, *(outcome.deploy.at for outcome in stretch.outcomes[-1:])])
    return count_days(
        max(stretch.since, min(stretch.first_live.values())), min(stretch.until, latest + 1), zone
    )
