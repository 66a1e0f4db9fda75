"""The JSON of what is live where."""

from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.shown import to_commit_fields
from miniapm.domain.impact.values import Verdict
from miniapm.storage.delivery.differences import Difference
from miniapm.storage.delivery.environments import Place
from miniapm.web.api.deploy_bodies import CommitBody, DateTime, Id, Page
from miniapm.web.api.queries import Name, Slug


class EnvironmentQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is listed; others are compared with production even if it is not."""

    project: Slug | None = None
    env: Name | None = None
    service: Name | None = None


class DifferenceBody(msgspec.Struct, frozen=True):
    """Commits that one environment has and the other lacks, newest first, at most 500. Where
    `is_known` is false, nobody told of all: there may be more."""

    is_known: bool
    count: int
    commits: list[CommitBody]


class PlaceBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is live of a service in an environment. `timestamp` is its last deploy, `since` when its
    commit went live."""

    service: str
    env: str
    is_production: bool
    deploy_id: Id
    git_sha: str
    version: str | None
    deployer: str | None
    timestamp: DateTime
    since: DateTime
    verdict: Verdict | None
    compared_with: Annotated[
        str | None, Meta(description="The production environment that others are compared with")
    ]
    ahead: Annotated[
        DifferenceBody | None, Meta(description="What that one lacks; null in that one")
    ]
    behind: Annotated[DifferenceBody | None, Meta(description="What that one has besides")]
    page: Page


class EnvironmentList(msgspec.Struct, frozen=True):
    """All of them, by service, production first."""

    items: list[PlaceBody]
    next_cursor: None = None


def to_place_body(place: Place, compared_with: str | None, pages: str) -> PlaceBody:
    """`pages` is the address of the list of deploys."""
    deploy, verdict = place.live, place.verdict
    return PlaceBody(
        service=deploy.service,
        env=deploy.env,
        is_production=place.is_production,
        deploy_id=str(deploy.id),
        git_sha=deploy.git_sha,
        version=deploy.version,
        deployer=deploy.deployer,
        timestamp=to_rfc3339(deploy.deployed_at),
        since=to_rfc3339(place.since),
        verdict=None if verdict is None else verdict.reached,
        compared_with=compared_with,
        ahead=_to_difference(place.ahead),
        behind=_to_difference(place.behind),
        page=f"{pages}/{deploy.id}",
    )


def _to_difference(found: Difference | None) -> DifferenceBody | None:
    if found is None:
        return None
    commits = [CommitBody(**to_commit_fields(commit)) for commit in found.commits]
    return DifferenceBody(found.is_known, len(commits), commits)
