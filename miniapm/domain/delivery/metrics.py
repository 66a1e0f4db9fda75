"""The five delivery metrics. None says that there is no data, which is not zero."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.delivery.values import Outcome


class Frequency(NamedTuple):
    """`deploys` in `days` of the calendar; `per_day` None where no day was watched."""

    deploys: int
    days: int
    per_day: float | None


class LeadTime(NamedTuple):
    """Median and 90th percentile of the waits of `commits`; of so many deploys `approximate`."""

    commits: int
    median_us: int | None
    p90_us: int | None
    approximate: int


class Rate(NamedTuple):
    """`part` out of `whole` deploys; `share` None where there is no deploy."""

    part: int
    whole: int
    share: float | None


class Recovery(NamedTuple):
    """The median of those that `recovered`; the `open` ones have not yet."""

    recovered: int
    open: int
    median_us: int | None


class Metrics(NamedTuple):
    """The five, in the words of DORA."""

    deployment_frequency: Frequency
    change_lead_time: LeadTime
    change_fail_rate: Rate
    failed_deployment_recovery_time: Recovery
    deployment_rework_rate: Rate


def measure(
    outcomes: Sequence[Outcome], waits: Sequence[int], approximate: int, days: int
) -> Metrics:
    """The metrics of `outcomes`, redeploys left out, over so many `days` of watching. `waits` are
    the lead times in order, of so many deploys `approximate`."""
    counted = [outcome for outcome in outcomes if outcome.counts]
    failed = [outcome for outcome in counted if outcome.failure is not None]
    recoveries = sorted(o.recovery_us for o in failed if o.recovery_us is not None)
    return Metrics(
        Frequency(len(counted), days, len(counted) / days if days else None),
        LeadTime(len(waits), find_median(waits), find_p90(waits), approximate),
        _rate(len(failed), len(counted)),
        Recovery(len(recoveries), len(failed) - len(recoveries), find_median(recoveries)),
        _rate(sum(outcome.rework is not None for outcome in counted), len(counted)),
    )


def find_median(ordered: Sequence[int]) -> int | None:
    """The middle one, or the mean of the middle two; None of none."""
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def find_p90(ordered: Sequence[int]) -> int | None:
    """The smallest one that nine of ten do not exceed; None of none."""
    return ordered[-(-len(ordered) * 9 // 10) - 1] if ordered else None


def _rate(part: int, whole: int) -> Rate:
    return Rate(part, whole, part / whole if whole else None)
