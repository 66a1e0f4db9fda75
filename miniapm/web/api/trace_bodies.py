"""The JSON of requests that began traces: what their list takes and answers."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.projects import Project
from miniapm.storage.releases import Endpoint, Release
from miniapm.storage.spans.entries import EntryFilter, EntryPage, FoundEntry
from miniapm.web.api.deploy_bodies import DateTime, Id
from miniapm.web.api.queries import ListQuery, Problems, Words, read_since, read_until
from miniapm.web.cursors import encode_cursor
from miniapm.web.trace_filter import MOST_MS, read_statuses

TraceId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class TraceQuery(ListQuery, frozen=True, kw_only=True):
    """What the list of traces takes. `since` and `until` bound when a request began."""

    sort: Annotated[Literal["recent", "slow"], Meta(extra={"rule": "must be recent or slow"})] = (
        "recent"
    )
    endpoint: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{1,18}$",
                description="The id of an endpoint",
                extra={"rule": "must be the id of an endpoint"},
            ),
        ]
        | None
    ) = None
    min_ms: Annotated[
        float,
        Meta(ge=0, le=MOST_MS, extra={"rule": f"must be a number from 0 to {MOST_MS}"}),
    ] = 0
    status: (
        Annotated[
            str,
            Meta(
                pattern="^(failed|ok|[1-5]xx|[1-9][0-9]{2})$",
                description="failed, ok, an HTTP status or a class of them",
                extra={"rule": "must be failed, ok, an HTTP status such as 404, or such as 5xx"},
            ),
        ]
        | None
    ) = None
    version: (
        Annotated[Words, Meta(description="A version, or a revision or its beginning")] | None
    ) = None


class TraceItemBody(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came into a service. `trace_id` is null for one that came without spans."""

    id: Id
    trace_id: TraceId | None
    project: str
    endpoint: str
    endpoint_id: Id
    service: str
    env: str
    version: str | None
    revision: str | None
    started_at: DateTime
    duration_us: int
    status_code: int | None
    failed: bool
    database_us: Annotated[int, Meta(description="Its calls of databases, summed")]
    database_count: int
    http_us: Annotated[int, Meta(description="Its calls of other services, summed")]
    http_count: int
    page: Annotated[
        str | None,
        Meta(description="Where people look at it", extra_json_schema={"format": "uri"}),
    ]


class TraceList(msgspec.Struct, frozen=True):
    """A page of requests. `next_cursor` is null on the last one; a page with few or no items may
    have one, for each looks at a bounded number of requests."""

    items: list[TraceItemBody]
    next_cursor: str | None


class Names(msgspec.Struct, frozen=True):
    """What the ids of entries stand for."""

    endpoints: Mapping[int, Endpoint]
    releases: Mapping[int, Release]


def to_filter(query: TraceQuery, problems: Problems, oldest: int, latest: int) -> EntryFilter:
    """What storage looks for, between `oldest` and `latest` (µs) where the query leaves it open;
    bad instants go into `problems`."""
    since, until = read_since(query, problems), read_until(query, problems)
    return EntryFilter(
        since=oldest if since is None else max(oldest, since),
        until=latest if until is None else min(latest, until),
        env=query.env,
        service=query.service,
        version=query.version,
        endpoint_id=None if query.endpoint is None else int(query.endpoint),
        min_us=int(query.min_ms * 1000),
        failed={"failed": True, "ok": False}.get(query.status or ""),
        statuses=read_statuses(query.status or ""),
    )


def to_list(page: EntryPage, names: Names, project: Project, base_url: str) -> TraceList:
    return TraceList(
        [to_item(entry, names, project, base_url) for entry in page.entries],
        None if page.after is None else encode_cursor(Cursor(*page.after)),
    )


def to_item(entry: FoundEntry, names: Names, project: Project, base_url: str) -> TraceItemBody:
    endpoint = names.endpoints.get(entry.endpoint_id)
    release = names.releases.get(entry.release_id)
    trace_id = None if entry.trace_id is None else entry.trace_id.hex()
    return TraceItemBody(
        id=str(entry.id),
        trace_id=trace_id,
        project=project.slug,
        endpoint=endpoint.name if endpoint else "",
        endpoint_id=str(entry.endpoint_id),
        service=release.service if release else "",
        env=release.env if release else "",
        version=(release.version if release else "") or None,
        revision=(release.revision if release else "") or None,
        started_at=to_rfc3339(entry.started_at),
        duration_us=entry.duration_us,
        status_code=entry.status_code,
        failed=entry.failed,
        database_us=entry.database_us,
        database_count=entry.database_count,
        http_us=entry.http_us,
        http_count=entry.http_count,
        page=trace_id and f"{base_url}/p/{project.slug}/traces/{trace_id}?at={entry.id}",
    )
