"""The bands of DORA's reports, with their year.

Those of 2023 are the last that rise in order: in 2024 the high cluster failed more often than the
medium one, and 2025 has none. There never was one for rework.
"""

from typing import Literal, NamedTuple

from miniapm.clock import DAY, HOUR
from miniapm.domain.delivery.metrics import Metrics

BAND_YEAR = 2023
FEWEST_DEPLOYS = 10
Level = Literal["elite", "high", "medium", "low"]

_MONTH_DAYS = 30
_LEAD_TIMES: tuple[tuple[Level, int], ...] = (
    ("elite", DAY),
    ("high", 7 * DAY),
    ("medium", _MONTH_DAYS * DAY),
)
_RECOVERIES: tuple[tuple[Level, int], ...] = (("elite", HOUR), ("high", DAY), ("medium", 7 * DAY))
_FAIL_RATES: tuple[tuple[Level, float], ...] = (("elite", 0.05), ("high", 0.10), ("medium", 0.15))
_PER_DAY: tuple[tuple[Level, float], ...] = (("high", 1 / 7), ("medium", 1 / _MONTH_DAYS))


class Bands(NamedTuple):
    """Where a metric stood among the teams of the report; None where too little is known."""

    deployment_frequency: Level | None = None
    change_lead_time: Level | None = None
    change_fail_rate: Level | None = None
    failed_deployment_recovery_time: Level | None = None


def find_bands(metrics: Metrics) -> Bands:
    """None of them below FEWEST_DEPLOYS deploys."""
    frequency = metrics.deployment_frequency
    if frequency.deploys < FEWEST_DEPLOYS:
        return Bands()
    lead = metrics.change_lead_time.median_us
    recovery = metrics.failed_deployment_recovery_time.median_us
    share = metrics.change_fail_rate.share
    return Bands(
        _find_frequency(frequency.per_day),
        None if lead is None else _below(lead, _LEAD_TIMES),
        None if share is None else _at_most(share),
        None if recovery is None else _below(recovery, _RECOVERIES),
    )


def _find_frequency(per_day: float | None) -> Level | None:
    if per_day is None:
        return None
    # on demand: more often than once a day
    if per_day > 1:
        return "elite"
    return next((level for level, least in _PER_DAY if per_day >= least), "low")


def _below(value: int, steps: tuple[tuple[Level, int], ...]) -> Level:
    return next((level for level, end in steps if value < end), "low")


def _at_most(share: float) -> Level:
    return next((level for level, most in _FAIL_RATES if share <= most), "low")
