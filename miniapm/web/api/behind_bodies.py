"""The JSON of the deploys behind a delivery metric."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from miniapm.clock import to_rfc3339
from miniapm.domain.delivery.metrics import find_median
from miniapm.domain.delivery.values import LeadTimes, Outcome, Reason, Rework
from miniapm.domain.delivery.words import tell_failure
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.delivery.behind import Listed
from miniapm.web.api.delivery_bodies import Micros
from miniapm.web.api.deploy_bodies import DateTime, Id, Page


class FailureBody(msgspec.Struct, frozen=True):
    """Why a deploy counts as failed."""

    reason: Reason
    words: str
    by_id: Annotated[Id | None, Meta(description="The deploy that shows it")]
    tag: str | None


class WaitBody(msgspec.Struct, frozen=True):
    """What the commits of a deploy waited until it."""

    commits: int
    median_us: Micros
    is_approximate: bool


class CountedDeploy(msgspec.Struct, frozen=True, kw_only=True):
    """A deploy, what it counts as, and how it ended where it failed; null where it counts as
    nothing."""

    id: Id
    service: str
    env: str
    git_sha: str
    version: str | None
    timestamp: DateTime
    is_redeploy: Annotated[bool, Meta(description="Then it counts in no number")]
    rework: Rework | None
    failure: FailureBody | None
    recovered_at: DateTime | None
    recovered_by: Id | None
    recovery_us: Micros
    lead_time: WaitBody | None
    page: Page


class CountedList(msgspec.Struct, frozen=True):
    """A page of deploys, newest first. `next_cursor` is null on the last one."""

    items: list[CountedDeploy]
    next_cursor: str | None


def to_counted_deploy(
    deploy: Deploy, outcome: Outcome | None, listed: Listed, pages: str
) -> CountedDeploy:
    """One of those `listed`; `pages` is the address of the list of deploys."""
    plain = CountedDeploy(
        id=str(deploy.id),
        service=deploy.service,
        env=deploy.env,
        git_sha=deploy.git_sha,
        version=deploy.version,
        timestamp=to_rfc3339(deploy.deployed_at),
        is_redeploy=False,
        rework=None,
        failure=None,
        recovered_at=None,
        recovered_by=None,
        recovery_us=None,
        lead_time=None,
        page=f"{pages}/{deploy.id}",
    )
    if outcome is None:
        return plain
    recovered = outcome.recovered_at
    return replace(
        plain,
        is_redeploy=outcome.is_redeploy,
        rework=outcome.rework,
        failure=_to_failure(outcome, listed.named),
        recovered_at=None if recovered is None else to_rfc3339(recovered),
        recovered_by=_to_id(outcome.recovered_by),
        recovery_us=outcome.recovery_us,
        lead_time=_to_wait(listed.lead_times.get(deploy.id)),
    )


def _to_wait(lead: LeadTimes | None) -> WaitBody | None:
    if lead is None:
        return None
    return WaitBody(len(lead.waits), find_median(lead.waits), lead.is_approximate)


def _to_failure(outcome: Outcome, deploys: Mapping[int, Deploy]) -> FailureBody | None:
    failure = outcome.failure
    if failure is None:
        return None
    words = tell_failure(failure, {one.id: one.name for one in deploys.values()})
    return FailureBody(failure.reason, words, _to_id(failure.by_id), failure.word or None)


def _to_id(deploy_id: int | None) -> str | None:
    return None if deploy_id is None else str(deploy_id)
