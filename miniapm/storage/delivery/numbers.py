"""The delivery metrics of a stretch of time with all that stands behind them, remembered until
anything of the project's deploys changes."""

from datetime import tzinfo
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.delivery.behind import Behind, count_behind
from miniapm.domain.delivery.metrics import Metrics
from miniapm.domain.delivery.periods import PeriodName
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.summary import Summary, measure_services, summarise
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.report import Report, find_report
from miniapm.storage.delivery.stories import measure_story
from miniapm.storage.deploys.versions import find_project_version

_GOOD_FOR = 10 * MINUTE
"""Time itself changes the numbers, too: days go by, and a deploy may be dated ahead."""

_PERIOD_BYTES = 1500


class Numbers(NamedTuple):
    """The report, what it comes to, the same by service, and how many deploys stand behind each
    number."""

    report: Report
    summary: Summary
    by_service: dict[str, Metrics]
    counts: dict[Behind, int]


def find_numbers(
    connection: Connection,
    project_id: int,
    asked: Asked,
    period: PeriodName,
    zone: tzinfo,
    rules: DeliveryRules,
    now: int,
) -> Numbers:
    """The numbers of the time that is `asked`, cut into periods of `zone`; `now` in µs."""
    until = None if asked.until > now else asked.until
    lapse = now // _GOOD_FOR
    key = ("numbers", project_id, *asked._replace(until=0), until, period, str(zone), rules, lapse)
    version = find_project_version(connection, project_id)
    found: Numbers | None = connection.memory.find(key, version)
    if found is None:
        found = _measure(find_report(connection, project_id, asked, rules), period, zone, now)
        stretch = found.report.stretch
        size = measure_story(stretch.outcomes, stretch.lead_times)
        size += _PERIOD_BYTES * len(found.summary.periods)
        connection.memory.keep(key, version, found, size)
    return found


def _measure(report: Report, period: PeriodName, zone: tzinfo, now: int) -> Numbers:
    stretch = report.stretch
    return Numbers(
        report,
        summarise(stretch, period, zone, now),
        measure_services(stretch, zone, now),
        count_behind(stretch.outcomes, stretch.lead_times),
    )
