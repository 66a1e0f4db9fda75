"""The lists of the delivery page: the deploys behind each number, and what counts in none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from miniapm.domain.counts import tell_count
from miniapm.domain.delivery.behind import LISTS, Behind, LeftOutList
from miniapm.domain.delivery.metrics import find_median
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.values import LeadTimes, Outcome
from miniapm.domain.delivery.words import tell_failure, tell_rework
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.delivery.behind import Listed
from miniapm.storage.delivery.left_out import LeftOut
from miniapm.storage.delivery.numbers import Numbers
from miniapm.web.pages.delivery_query import DeliveryQuery
from miniapm.web.pages.delivery_words import tell_wait

_LIST_WORDS: dict[Behind, str] = {
    "deploys": "All that count",
    "lead_times": "With lead times",
    "failed": "Failed",
    "recovered": "Recovered",
    "open": "Still open",
    "rework": "Rework",
    "redeploys": "Redeploys",
}
# as it goes on after their number, be it one or several; {} are the environments that count
_LEFT_OUT_WORDS: dict[Behind | LeftOutList, str] = {
    "redeploys": "put out again what was live already",
    "left_out.failed": "failed: never went live",
    "left_out.cancelled": "cancelled: never went live",
    "left_out.timed_out": "timed out: never went live",
    "left_out.started": "started: not over yet",
    "left_out.other_environments": "outside of {}",
    "left_out.left_out": "told by GitHub alone, beside the API",
    "left_out.hidden": "hidden",
}


class ListLink(NamedTuple):
    """A list that can be opened: how many `deploys` it has, and of what sort."""

    words: str
    deploys: int
    query: str
    name: Behind | LeftOutList
    is_open: bool


@dataclass(frozen=True, slots=True)
class ListedDeploy:
    """A deploy behind a number, or in none. `why` says what counts of it, or why nothing does;
    `recovery` how it ended, with the deploy that ended it; `waited` the lead times of its
    commits."""

    id: int
    name: str
    at: int
    service: str
    env: str
    why: tuple[str, ...]
    recovery: str = ""
    recovered_by: int | None = None
    recovered_name: str = ""
    waited: str = ""


def link_lists(
    numbers: Numbers, query: DeliveryQuery, rules: DeliveryRules
) -> tuple[ListLink, ...]:
    """The lists behind the numbers, and the one of deploys in no number where that is open."""
    links = [_link(_LIST_WORDS[name], numbers.counts[name], query, name) for name in LISTS]
    left_out = link_left_out(numbers.report.left_out, query, rules)
    links += [
        link._replace(words=link.words[0].upper() + link.words[1:])
        for link in left_out
        if link.is_open and link.name != "redeploys"
    ]
    return tuple(links)


def link_left_out(
    left_out: LeftOut, query: DeliveryQuery, rules: DeliveryRules
) -> tuple[ListLink, ...]:
    """What counts in no number, where there is any."""
    counts = {f"left_out.{reason}": count for reason, count in left_out._asdict().items()}
    counts["redeploys"] = left_out.redeploys
    return tuple(
        _link(_tell_left_out(name, rules), counts[name], query, name)
        for name in _LEFT_OUT_WORDS
        if counts[name]
    )


def tell_listed(
    listed: Listed, query: DeliveryQuery, rules: DeliveryRules, now: int
) -> tuple[ListedDeploy, ...]:
    """The deploys of the list that is open, each with what brought it there."""
    names = {deploy_id: one.name for deploy_id, one in listed.named.items()}
    return tuple(
        _tell_live(_tell_deploy(deploy), outcome, names, listed.lead_times.get(deploy.id), now)
        if outcome is not None
        else _tell_deploy(deploy, _tell_left_out(query.behind, rules))
        for deploy, outcome in listed.deploys
    )


def _tell_deploy(deploy: Deploy, *why: str) -> ListedDeploy:
    return ListedDeploy(
        id=deploy.id,
        name=deploy.name,
        at=deploy.deployed_at,
        service=deploy.service,
        env=deploy.env,
        why=why,
    )


def _tell_live(
    told: ListedDeploy,
    outcome: Outcome,
    names: Mapping[int, str],
    lead: LeadTimes | None,
    now: int,
) -> ListedDeploy:
    return replace(
        told,
        why=_tell_why(outcome, names),
        recovery=_tell_recovery(outcome, now),
        recovered_by=outcome.recovered_by,
        recovered_name=names.get(outcome.recovered_by or 0, ""),
        waited=_tell_waited(lead),
    )


def _tell_why(outcome: Outcome, names: Mapping[int, str]) -> tuple[str, ...]:
    if outcome.is_redeploy:
        return (_LEFT_OUT_WORDS["redeploys"],)
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


def _tell_left_out(what: Behind | LeftOutList, rules: DeliveryRules) -> str:
    return _LEFT_OUT_WORDS[what].format(", ".join(rules.production) or "none")


def _link(words: str, deploys: int, query: DeliveryQuery, name: Behind | LeftOutList) -> ListLink:
    return ListLink(words, deploys, query.query(list=name), name, name == query.behind)
