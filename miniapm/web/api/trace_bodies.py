"""The JSON of traces: what the API takes and answers, and what its document is made from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.stored import read_details
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.span import Kind, SpanEvent, SpanLink
from miniapm.domain.spans.trees import Node, Trace
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.projects import Project
from miniapm.storage.releases import Endpoint, Release
from miniapm.storage.spans.entries import EntryFilter, EntryPage, FoundEntry
from miniapm.web.api.deploy_bodies import DateTime, Id
from miniapm.web.api.queries import ListQuery, Problems, Words, read_since, read_until
from miniapm.web.cursors import encode_cursor
from miniapm.web.stored_traces import LoadedTrace
from miniapm.web.trace_filter import MOST_MS, read_statuses

MOST_DETAIL_BYTES = 4 * 1024 * 1024
"""Of spans whose details are told in one answer."""

TraceId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Attributes = dict[str, Any]


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


class EventBody(msgspec.Struct, frozen=True):
    """Something that happened within a span."""

    name: str
    at: DateTime
    attributes: Attributes


class LinkBody(msgspec.Struct, frozen=True):
    """Another span that this one names."""

    trace_id: str
    span_id: str
    attributes: Attributes


class SpanBody(msgspec.Struct, frozen=True, kw_only=True):
    """A span, as it came, secrets masked. `resource` is its place among the trace's resources."""

    span_id: str
    parent_id: str | None
    name: str
    kind: Kind
    service: str
    scope: str
    resource: int
    started_at: DateTime
    duration_us: int
    self_us: Annotated[int, Meta(description="Without the time of the spans below it")]
    failed: bool
    status_code: int | None
    status_message: str | None
    attributes: Attributes
    events: list[EventBody]
    links: list[LinkBody]


class ResourceBody(msgspec.Struct, frozen=True):
    """Who reported spans."""

    service: str
    env: str
    version: str | None
    revision: str | None
    attributes: Attributes


class WholeTraceBody(msgspec.Struct, frozen=True, kw_only=True):
    """A trace. Without spans they are no longer kept, and its requests are all that is left."""

    trace_id: TraceId
    project: str
    started_at: DateTime | None
    duration_us: int | None
    span_count: int
    is_complete: Annotated[
        bool, Meta(description="Whether all of its spans are here, with all that they hold")
    ]
    requests: list[TraceItemBody]
    resources: list[ResourceBody]
    spans: Annotated[list[SpanBody], Meta(description="Parents before their children")]
    page: Annotated[str, Meta(extra_json_schema={"format": "uri"})]


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


def to_whole_body(
    loaded: LoadedTrace,
    trace: Trace,
    names: Names,
    project: Project,
    base_url: str,
    scrubber: Scrubber,
) -> WholeTraceBody:
    resources: dict[bytes, int] = {}
    bodies: list[ResourceBody] = []
    spans: list[SpanBody] = []
    room = MOST_DETAIL_BYTES
    for node in trace.nodes:
        room -= len(node.span.raw) + len(node.span.source.resource)
        key = node.span.source.resource
        if key not in resources:
            resources[key] = len(bodies)
            bodies.append(_to_resource(node, scrubber, room > 0))
        spans.append(_to_span(node, resources[key], scrubber, room > 0))
    entries = loaded.entries or ([loaded.entry] if loaded.entry else [])
    trace_id = loaded.trace_id.hex()
    return WholeTraceBody(
        trace_id=trace_id,
        project=project.slug,
        started_at=to_rfc3339(trace.start // 1000) if spans else None,
        duration_us=(trace.end - trace.start) // 1000 if spans else None,
        span_count=len(spans),
        is_complete=bool(spans) and not loaded.is_cut and room > 0,
        requests=[to_item(entry, names, project, base_url) for entry in entries],
        resources=bodies,
        spans=spans,
        page=f"{base_url}/p/{project.slug}/traces/{trace_id}",
    )


def _to_resource(node: Node, scrubber: Scrubber, has_room: bool) -> ResourceBody:
    release = node.span.source.release
    return ResourceBody(
        release.service,
        release.env,
        release.version or None,
        release.revision or None,
        dict(read_details(node.span, scrubber).resource) if has_room else {},
    )


def _to_span(node: Node, resource: int, scrubber: Scrubber, has_room: bool) -> SpanBody:
    span = node.span
    details = read_details(span, scrubber) if has_room else None
    events: list[EventBody] = []
    if details is not None:
        events = [_to_exception(occurrence) for occurrence in details.exceptions]
        events += [_to_event(event) for event in details.events]
    return SpanBody(
        span_id=span.span_id,
        parent_id=span.parent_id or None,
        name=scrubber.scrub_text(span.name),
        kind=span.kind,
        service=span.service,
        scope=span.source.scope,
        resource=resource,
        started_at=to_rfc3339(span.started_ns // 1000),
        duration_us=node.duration_ns // 1000,
        self_us=sum(end - start for start, end in node.find_own()) // 1000,
        failed=span.failed,
        status_code=span.status_code,
        status_message=(details.status_message if details else "") or None,
        attributes=dict(details.attributes) if details else {},
        events=events,
        links=[_to_link(link) for link in details.links] if details else [],
    )


def _to_exception(occurrence: Occurrence) -> EventBody:
    told = {
        "exception.type": occurrence.exception_class,
        "exception.message": occurrence.message,
        "exception.stacktrace": "\n".join(occurrence.backtrace),
    }
    return EventBody("exception", to_rfc3339(occurrence.happened_at), told)


def _to_event(event: SpanEvent) -> EventBody:
    return EventBody(event.name, to_rfc3339(event.at), dict(event.attributes))


def _to_link(link: SpanLink) -> LinkBody:
    return LinkBody(link.trace_id, link.span_id, dict(link.attributes))
