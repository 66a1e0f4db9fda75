"""Which deploys stand behind each number, and why others stand behind none."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeGuard, get_args

from miniapm.domain.delivery.values import LeadTimes, Outcome

Behind = Literal["deploys", "lead_times", "failed", "recovered", "open", "rework", "redeploys"]
LISTS: tuple[Behind, ...] = get_args(Behind)
# those that stand in no number, by the reason
LeftOutList = Literal[
    "left_out.hidden",
    "left_out.other_environments",
    "left_out.left_out",
    "left_out.failed",
    "left_out.cancelled",
    "left_out.timed_out",
    "left_out.started",
]
LEFT_OUT_LISTS: tuple[LeftOutList, ...] = get_args(LeftOutList)


def find_behind(
    what: Behind, outcomes: Sequence[Outcome], lead_times: Sequence[LeadTimes]
) -> list[Outcome]:
    """The outcomes that a number is made of, in their order."""
    if what == "lead_times":
        waited = {lead.deploy_id for lead in lead_times}
        return [outcome for outcome in outcomes if outcome.deploy.id in waited]
    return [outcome for outcome in outcomes if _belongs(what, outcome)]


def is_behind(what: str) -> TypeGuard[Behind]:
    """Whether the list `what` is one of those that `find_behind` makes."""
    return what in LISTS


def _belongs(what: Behind, outcome: Outcome) -> bool:
    if what == "redeploys":
        return outcome.is_redeploy
    if what == "rework":
        return outcome.rework is not None
    if what == "deploys":
        return outcome.counts
    is_failed = outcome.failure is not None
    if what == "failed":
        return is_failed
    return is_failed and (outcome.recovered_at is None) == (what == "open")


def count_behind(outcomes: Sequence[Outcome], lead_times: Sequence[LeadTimes]) -> dict[Behind, int]:
    """How many deploys stand behind each."""
    counts = {what: sum(_belongs(what, one) for one in outcomes) for what in LISTS}
    return {**counts, "lead_times": len(lead_times)}


def name_behind(outcomes: Iterable[Outcome]) -> Iterator[int]:
    """The ids of these deploys, and of those that their reasons and recoveries name."""
    for outcome in outcomes:
        yield outcome.deploy.id
        if outcome.failure is not None and outcome.failure.by_id is not None:
            yield outcome.failure.by_id
        if outcome.recovered_by is not None:
            yield outcome.recovered_by
