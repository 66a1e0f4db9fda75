"""The lists of the delivery page: the deploys behind each number, and what counts in none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from miniapm.domain.delivery.behind import Behind
from miniapm.domain.delivery.metrics import find_median
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.values import LeadTimes, Outcome
from miniapm.domain.delivery.words import tell_failure, tell_rework
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.delivery.left_out import LeftOut
from miniapm.web.pages.delivery_query import DeliveryQuery
from miniapm.web.pages.delivery_words import tell_count, tell_wait
from miniapm.web.pages.deploy_words import is_production

LIST_WORDS: dict[Behind, str] = {
    "deploys": "All that count",
    "lead_times": "With lead times",
    "failed": "Failed",
    "recovered": "Recovered",
    "open": "Still open",
    "rework": "Rework",
    "redeploys": "Redeploys",
}
_NOT_LIVE = (
    ("failed", "failed: never went live"),
    ("cancelled", "cancelled: never went live"),
    ("timed_out", "timed out: never went live"),
    ("started", "started: not over yet"),
)


@dataclass(frozen=True, slots=True)
class ListedDeploy:
    """A deploy behind a number. `why` says what counts of it; `recovery` how it ended, with the
    deploy that ended it; `waited` the lead times of its commits."""

    id: int
    name: str
    at: int
    service: str
    env: str
    is_production: bool
    why: tuple[str, ...]
    recovery: str
    recovered_by: int | None
    recovered_name: str
    waited: str


class LeftOutRow(NamedTuple):
    """Deploys that stand in no number, and why; `page` leads to them, "" where nothing does."""

    words: str
    deploys: int
    page: str


def tell_listed(
    outcomes: Sequence[Outcome],
    deploys: Mapping[int, Deploy],
    lead_times: Mapping[int, LeadTimes],
    now: int,
) -> tuple[ListedDeploy, ...]:
    """`deploys` are those of `outcomes`, and those that their reasons name."""
    names = {deploy_id: one.name for deploy_id, one in deploys.items()}
    return tuple(
        _tell_listed(one, deploys[one.deploy.id], names, lead_times.get(one.deploy.id), now)
        for one in outcomes
    )


def _tell_listed(
    outcome: Outcome, deploy: Deploy, names: Mapping[int, str], lead: LeadTimes | None, now: int
) -> ListedDeploy:
    return ListedDeploy(
        id=deploy.id,
        name=deploy.name,
        at=deploy.deployed_at,
        service=deploy.service,
        env=deploy.env,
        is_production=is_production(deploy.env),
        why=_tell_why(outcome, names),
        recovery=_tell_recovery(outcome, now),
        recovered_by=outcome.recovered_by,
        recovered_name=names.get(outcome.recovered_by or 0, ""),
        waited=_tell_waited(lead),
    )


def _tell_why(outcome: Outcome, names: Mapping[int, str]) -> tuple[str, ...]:
    if outcome.is_redeploy:
        return ("redeploy: the same commit was live already",)
    failed = outcome.failure and f"failed: {tell_failure(outcome.failure, names)}"
    rework = outcome.rework and f"rework: {tell_rework(outcome)}"
    return tuple(filter(None, (failed, rework)))


def _tell_recovery(outcome: Outcome, now: int) -> str:
    if outcome.failure is None:
        return ""
    if outcome.recovery_us is None:
        return f"open for {tell_wait(max(now - outcome.deploy.at, 0))}"
    return f"recovered in {tell_wait(outcome.recovery_us)}"


def _tell_waited(lead: LeadTimes | None) -> str:
    if lead is None:
        return ""
    told = f"{tell_count(len(lead.waits), 'commit')}, median {tell_wait(find_median(lead.waits))}"
    return f"{told}, approximate" if lead.is_approximate else told


def tell_left_out(
    left_out: LeftOut, query: DeliveryQuery, slug: str, rules: DeliveryRules
) -> tuple[LeftOutRow, ...]:
    """What counts in no number, where there is any."""
    deploys = f"/p/{slug}/deploys"
    names = ", ".join(rules.production) or "none"
    again = f"/p/{slug}/delivery{query.query(list='redeploys')}"
    rows = (
        ("redeploys: the same commit was live already", left_out.redeploys, again),
        *(
            (words, getattr(left_out, status), _link(deploys, query, status=status))
            for status, words in _NOT_LIVE
        ),
        (f"in other environments than {names}", left_out.other_environments, _link(deploys, query)),
        ("only GitHub told of them, beside the API", left_out.left_out, _link(deploys, query)),
        ("hidden", left_out.hidden, _link(deploys, query, hidden="1")),
    )
    return tuple(LeftOutRow(words, count, page) for words, count, page in rows if count)


def _link(page: str, query: DeliveryQuery, **changes: str) -> str:
    wanted = query.filter
    if wanted.is_open and not wanted.range:
        wanted = wanted._replace(range="90d")
    return page + wanted.query(**changes)
