"""Which time delivery's numbers are of, and how it is cut: the same for the page and the API."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.clock import DAY
from miniapm.domain.delivery.periods import PERIOD_NAMES, PeriodName, find_period_start
from miniapm.domain.instants import YEAR_2000
from miniapm.storage.delivery.asked import Asked
from miniapm.web.filters import PageFilter, refuse_any
from miniapm.web.time_zone import Zone

DEFAULT_RANGE = "90d"
MOST_PERIODS = 400
_DEFAULT_DAYS = 90
_PERIOD_DAYS: Mapping[PeriodName, int] = {"day": 1, "week": 7, "month": 31}
# up to so many days, the period that shows them best
_BEST: tuple[tuple[int, PeriodName], ...] = ((31, "day"), (200, "week"))


class Shown(NamedTuple):
    asked: Asked
    period: PeriodName


def find_stretch(wanted: PageFilter, period: str, now: int, zone: Zone) -> Shown:
    """The time in `wanted`, 90 days where it names none; `period` "" stands for the one that fits.

    A range by its name begins with a whole period. Where MOST_PERIODS do not reach, the periods
    are longer. It is cut to when deploys can be: from the year 2000 to a day from now. Invalid when
    it ends before it begins.
    """
    deploys = wanted.to_deploys(now)
    until = now + 1 if deploys.until is None else deploys.until
    since = until - _DEFAULT_DAYS * DAY if deploys.since is None else deploys.since
    since, until = max(since, YEAR_2000), min(until, now + DAY + 1)
    if since >= until:
        refuse_any({"from": "does not lie before the end"})
    chosen = _choose_period(period, (until - since) // DAY)
    if wanted.is_open or wanted.range:
        since = find_period_start(since, chosen, zone.rules)
    return Shown(Asked(since, until, deploys.env, deploys.service), chosen)


def _choose_period(wanted: str, days: int) -> PeriodName:
    best: PeriodName = next((name for most, name in _BEST if days <= most), "month")
    chosen: PeriodName = next((name for name in PERIOD_NAMES if name == wanted), best)
    while chosen != "month" and days // _PERIOD_DAYS[chosen] > MOST_PERIODS:
        chosen = PERIOD_NAMES[PERIOD_NAMES.index(chosen) + 1]
    return chosen
