"""The JSON of errors: what the API takes and answers, and what its document is made from."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.errors.values import Occurrence, SourceContext, State
from miniapm.storage.errors.counts import SeenRelease
from miniapm.storage.errors.find import ErrorFilter, FoundGroup, FoundRelease, GroupPage
from miniapm.storage.errors.occurrences import Kept
from miniapm.storage.projects import Project
from miniapm.web.api.deploy_bodies import DateTime, Id, Page
from miniapm.web.api.queries import ListQuery, Problems, Words, read_since, read_until
from miniapm.web.cursors import encode_cursor


class ErrorQuery(ListQuery, frozen=True, kw_only=True):
    """What the list of errors takes. `since` and `until` bound when an error was seen."""

    state: Annotated[State, Meta(extra={"rule": "must be open, resolved or ignored"})] | None = None
    q: (
        Annotated[Words, Meta(description="Looks into class, message, place and fingerprint")]
        | None
    ) = None


class ErrorGroupBody(msgspec.Struct, frozen=True, kw_only=True):
    """An error: all occurrences of a service that have the same fingerprint."""

    id: Id
    project: str
    service: str
    envs: Annotated[list[str], Meta(description="Where it was seen")]
    fingerprint: str
    exception_class: str
    message: Annotated[str, Meta(description="The latest occurrence's")]
    culprit: Annotated[
        str | None, Meta(description="The innermost frame of the application's own code")
    ]
    state: State
    count: Annotated[int, Meta(description="Occurrences, ever")]
    first_seen_at: DateTime
    last_seen_at: DateTime
    first_version: str | None
    first_git_sha: str | None
    resolved_at: DateTime | None
    regressed_at: Annotated[
        DateTime | None, Meta(description="When it came back after it was resolved")
    ]
    regressed_deploy_id: Annotated[
        Id | None, Meta(description="The deploy that was live when it came back")
    ]
    page: Page


class ErrorReleaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """A release in which an error was seen."""

    env: str
    version: str | None
    git_sha: str | None
    first_seen_at: DateTime
    last_seen_at: DateTime
    count: int


class SourceContextBody(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of source around the place where it happened; `lineno` is 0 where unknown."""

    file: str
    lineno: int
    pre_context: list[str]
    context_line: str
    post_context: list[str]


class OccurrenceBody(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence of an error, with secrets masked."""

    id: Id
    timestamp: DateTime
    env: str
    version: str | None
    git_sha: str | None
    message: str
    backtrace: list[str]
    user_id: str | None
    request_id: str | None
    trace_id: str | None
    span_id: str | None
    params: Any
    context: Any
    source_context: SourceContextBody | None


class WholeErrorGroupBody(ErrorGroupBody, frozen=True, kw_only=True):
    """An error with the releases in which it was seen, and its latest occurrence."""

    releases: list[ErrorReleaseBody]
    latest_occurrence: Annotated[
        OccurrenceBody | None, Meta(description="null where none is kept any more")
    ]


class ErrorList(msgspec.Struct, frozen=True):
    """A page of errors, the last seen first. `next_cursor` is null on the last one."""

    items: list[ErrorGroupBody]
    next_cursor: str | None


class ErrorPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be changed of an error."""

    state: State


def to_filter(query: ErrorQuery, problems: Problems) -> ErrorFilter:
    """What storage looks for; bad instants go into `problems`."""
    return ErrorFilter(
        env=query.env,
        service=query.service,
        state=query.state,
        query=query.q,
        since=read_since(query, problems),
        until=read_until(query, problems),
    )


def to_list(page: GroupPage, project: Project, base_url: str) -> ErrorList:
    return ErrorList(
        [ErrorGroupBody(**_fields(found, project, base_url)) for found in page.groups],
        None if page.after is None else encode_cursor(page.after),
    )


def to_whole_body(
    found: FoundGroup,
    seen: list[SeenRelease],
    names: Mapping[int, FoundRelease],
    latest: Kept | None,
    project: Project,
    base_url: str,
) -> WholeErrorGroupBody:
    return WholeErrorGroupBody(
        **_fields(found, project, base_url),
        releases=[_to_release(release, names) for release in seen],
        latest_occurrence=None if latest is None else _to_occurrence(latest.id, latest.occurrence),
    )


def _fields(found: FoundGroup, project: Project, base_url: str) -> dict[str, Any]:
    group = found.group
    deploy_id = group.regressed_deploy_id
    return {
        "id": str(group.id),
        "project": project.slug,
        "service": group.service,
        "envs": list(found.envs),
        "fingerprint": group.fingerprint,
        "exception_class": group.exception_class,
        "message": group.message,
        "culprit": group.culprit or None,
        "state": group.state,
        "count": group.count,
        "first_seen_at": to_rfc3339(group.first_seen_at),
        "last_seen_at": to_rfc3339(group.last_seen_at),
        "first_version": found.first_release.version or None,
        "first_git_sha": found.first_release.revision or None,
        "resolved_at": _instant(group.resolved_at),
        "regressed_at": _instant(group.regressed_at),
        "regressed_deploy_id": None if deploy_id is None else str(deploy_id),
        "page": f"{base_url}/p/{project.slug}/errors/{group.id}",
    }


def _to_release(seen: SeenRelease, names: Mapping[int, FoundRelease]) -> ErrorReleaseBody:
    name = names.get(seen.release_id, FoundRelease())
    return ErrorReleaseBody(
        env=name.env,
        version=name.version or None,
        git_sha=name.revision or None,
        first_seen_at=to_rfc3339(seen.first_seen_at),
        last_seen_at=to_rfc3339(seen.last_seen_at),
        count=seen.total,
    )


def _to_occurrence(occurrence_id: int, occurrence: Occurrence) -> OccurrenceBody:
    return OccurrenceBody(
        id=str(occurrence_id),
        timestamp=to_rfc3339(occurrence.happened_at),
        env=occurrence.env,
        version=occurrence.version or None,
        git_sha=occurrence.revision or None,
        message=occurrence.message,
        backtrace=list(occurrence.backtrace),
        user_id=occurrence.user_id or None,
        request_id=occurrence.request_id or None,
        trace_id=occurrence.trace_id or None,
        span_id=occurrence.span_id or None,
        params=occurrence.params,
        context=occurrence.context,
        source_context=_to_source(occurrence.source_context),
    )


def _to_source(source: SourceContext | None) -> SourceContextBody | None:
    return (
        None if source is None else msgspec.convert(msgspec.to_builtins(source), SourceContextBody)
    )


def _instant(at: int | None) -> str | None:
    return None if at is None else to_rfc3339(at)
