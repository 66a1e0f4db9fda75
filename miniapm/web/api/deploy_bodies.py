"""The JSON of deploys: what the API takes and answers, and what its document is made from."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.shown import to_changed_fields, to_commit_fields, to_json_fields
from miniapm.domain.deploys.values import Kind, Source, Status
from miniapm.domain.impact.values import Verdict
from miniapm.storage.deploys.change import Change
from miniapm.storage.deploys.find import DeployFilter
from miniapm.storage.deploys.shown import DeployWithCommits, ShownPage
from miniapm.storage.projects import Project
from miniapm.web.api.queries import ListQuery, Name, Problems, Words, read_since, read_until
from miniapm.web.cursors import encode_cursor

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]
DateTime = Annotated[
    str,
    Meta(description="RFC 3339 in UTC with `Z`", extra_json_schema={"format": "date-time"}),
]
Page = Annotated[
    str, Meta(description="Where people look at it", extra_json_schema={"format": "uri"})
]


class DeployQuery(ListQuery, frozen=True, kw_only=True):
    """What the list of deploys takes."""

    tag: Name | None = None
    status: (
        Annotated[
            Status,
            Meta(extra={"rule": "must be started, succeeded, failed, cancelled or timed_out"}),
        ]
        | None
    ) = None
    q: (
        Annotated[
            Words, Meta(description="Looks into sha, version, deployer, title, description, tags")
        ]
        | None
    ) = None
    hidden: Annotated[
        Literal["0", "1"],
        Meta(description="1 lists the hidden deploys alone", extra={"rule": "must be 0 or 1"}),
    ] = "0"


class DeployBody(msgspec.Struct, frozen=True, kw_only=True):
    """A deploy. `timestamp` is its end, or its start while it runs."""

    id: Id
    external_id: str | None
    project: str
    service: str
    env: str
    git_sha: str
    version: str | None
    deployer: str | None
    title: Annotated[
        str | None, Meta(description="As given, else the first line of the head commit's message")
    ]
    description: str | None
    tags: list[str]
    url: str | None
    repository: str | None
    status: Status
    timestamp: DateTime
    started_at: DateTime | None
    recorded_at: DateTime
    kind: Kind
    kind_reason: str
    previous_id: Annotated[
        Id | None, Meta(description="The deploy that was live in its service and env before it")
    ]
    sources: list[Source]
    first_seen_at: Annotated[
        DateTime | None, Meta(description="When telemetry first showed this version")
    ]
    hidden_at: DateTime | None
    overruled: Annotated[
        Literal["failed", "ok"] | None, Meta(description="What a person said of whether it failed")
    ]
    is_left_out: Annotated[
        bool,
        Meta(
            description="Only GitHub told of it, where the API tells of deploys, too: it counts in "
            "no number (delivery.github_beside_api)"
        ),
    ]
    verdict: Verdict | None
    page: Page


class CommitBody(msgspec.Struct, frozen=True):
    """A commit that the deploy brought."""

    sha: str
    timestamp: DateTime | None
    message: str | None
    author: str | None
    approximate: Annotated[
        bool, Meta(description="It stands alone: what else came with it is not known")
    ] = False


class DeployWithCommitsBody(DeployBody, frozen=True, kw_only=True):
    """A deploy with the commits that it brought."""

    commits: list[CommitBody]


class DeployList(msgspec.Struct, frozen=True):
    """A page of deploys, newest first. `next_cursor` is null on the last one."""

    items: list[DeployBody]
    next_cursor: str | None


class ChangeBody(msgspec.Struct, frozen=True):
    """A correction: the fields that it changed, with their values before and after it."""

    id: Id
    deploy_id: Id
    actor: str
    changed_at: DateTime
    before: dict[str, Any]
    after: dict[str, Any]


class ChangeList(msgspec.Struct, frozen=True):
    """All corrections of a deploy, newest first."""

    items: list[ChangeBody]
    next_cursor: None = None


class UndoPayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which correction to take back."""

    change: Id


def to_filter(query: DeployQuery, problems: Problems) -> DeployFilter:
    """What storage looks for; bad instants go into `problems`."""
    return DeployFilter(
        env=query.env,
        service=query.service,
        status=query.status,
        tag=query.tag,
        query=query.q,
        since=read_since(query, problems),
        until=read_until(query, problems),
        hidden=query.hidden == "1",
    )


def to_list(page: ShownPage, project: Project, base_url: str) -> DeployList:
    return DeployList(
        [DeployBody(**to_json_fields(shown, project.slug, base_url)) for shown in page.deploys],
        None if page.after is None else encode_cursor(page.after),
    )


def to_body(found: DeployWithCommits, project: Project, base_url: str) -> DeployWithCommitsBody:
    return DeployWithCommitsBody(
        **to_json_fields(found.shown, project.slug, base_url),
        commits=[CommitBody(**to_commit_fields(commit)) for commit in found.commits],
    )


def to_changes(changes: list[Change]) -> ChangeList:
    return ChangeList(
        [
            ChangeBody(
                id=str(change.id),
                deploy_id=str(change.deploy_id),
                actor=change.actor,
                changed_at=to_rfc3339(change.changed_at),
                before=to_changed_fields(change.before),
                after=to_changed_fields(change.after),
            )
            for change in changes
        ]
    )
