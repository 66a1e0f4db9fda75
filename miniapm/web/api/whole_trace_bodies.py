"""The JSON of one trace: its spans with all that they hold, as far as there is room."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.stored import read_details
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.span import Kind, SpanEvent, SpanLink
from miniapm.domain.spans.trees import Node, Trace
from miniapm.storage.projects import Project
from miniapm.web.api.deploy_bodies import DateTime
from miniapm.web.api.trace_bodies import Names, TraceId, TraceItemBody, to_item
from miniapm.web.stored_traces import LoadedTrace

MOST_DETAIL_BYTES = 4 * 1024 * 1024
"""Of spans whose details are told in one answer."""

Attributes = dict[str, Any]


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
    """A trace. Without spans they are no longer kept or cannot be read, and its requests are all
    that is left."""

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
        is_complete=bool(spans) and not loaded.is_cut and not loaded.unseen and room > 0,
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
