"""Stored protobuf bodies back to spans; `stored_json` does the same for the other encoding."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError

from miniapm.domain.otlp import resources
from miniapm.domain.otlp.attributes import (
    encode_names,
    find_raw,
    read_attributes,
    read_value,
    to_text,
)
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans import span as spans
from miniapm.domain.spans.categories import Category, categorize_keys, categorize_scope
from miniapm.domain.spans.endpoints import read_status_code
from miniapm.domain.spans.span import (
    KINDS,
    LONGEST_NAME,
    MOST_EVENTS,
    MOST_LINKS,
    Source,
    Span,
    SpanDetails,
    SpanEvent,
    SpanLink,
    pick_texts,
)
from miniapm.domain.spans.values import TelemetryDefaults

_ERROR = 2
_LONGEST_ID = 16
_WANTED = encode_names(spans.WANTED)
_WANTED_OF_RESOURCES = encode_names(resources.WANTED)


def read_spans(
    body: bytes, defaults: TelemetryDefaults, trace_id: bytes, limit: int
) -> Iterator[Span]:
    """The spans of a trace in a body, at most `limit`; none where it cannot be read."""
    count = 0
    for resource_spans, scope_spans, span in _walk(body):
        if span.trace_id == trace_id:
            if count >= limit:
                break
            count += 1
            release = _read_release(resource_spans.resource, defaults)
            source = Source(release, resource_spans.resource, _read_scope(scope_spans.scope))
            yield _to_span(span, source)


def find_trace_ids(body: bytes, ending: str, limit: int) -> list[str]:
    """The trace ids (hex) that end with `ending`, at most `limit`."""
    found: dict[str, None] = {}
    for _, _, span in _walk(body):
        trace_id = span.trace_id.hex()
        if trace_id.endswith(ending):
            found[trace_id] = None
            if len(found) >= limit:
                break
    return list(found)


def take_out(body: bytes, trace_id: bytes) -> tuple[bytes, list[bytes]] | None:
    """The body without the spans of a trace, and the trace ids of those that are left, one each;
    None when it holds none of them."""
    request = load_schema().TracesRequest.FromString(body)
    if not _remove(request, trace_id):
        return None
    return request.SerializeToString(), [span.trace_id for _, _, span in _spans_of(request)]


def read_details(span: Span) -> SpanDetails:
    """What a span holds, secrets and all."""
    schema = load_schema()
    message = schema.Span.FromString(span.raw)
    return SpanDetails(
        to_text(_read_status(message.status).message),
        read_attributes(message.attributes),
        [],
        [_to_event(_parse(schema.Event, raw)) for raw in message.events[:MOST_EVENTS]],
        [_to_link(_parse(schema.Link, raw)) for raw in message.links[:MOST_LINKS]],
        read_attributes(_read_resource(span.source.resource)),
    )


def _walk(body: bytes) -> Iterator[tuple[Any, Any, Any]]:
    try:
        request = load_schema().TracesRequest.FromString(body)
    except DecodeError:
        return
    yield from _spans_of(request)


def _spans_of(request: Any) -> Iterator[tuple[Any, Any, Any]]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield resource_spans, scope_spans, span


def _remove(request: Any, trace_id: bytes) -> bool:
    """Whether there was anything to remove."""
    removed = False
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            kept = [span for span in scope_spans.spans if span.trace_id != trace_id]
            if len(kept) < len(scope_spans.spans):
                removed = True
                del scope_spans.spans[:]
                scope_spans.spans.extend(kept)
    return removed


def _to_span(span: Any, source: Source) -> Span:
    found = _find(span.attributes, _WANTED)
    return Span(
        span_id=_read_id(span.span_id),
        parent_id=_read_id(span.parent_span_id),
        name=to_text(span.name)[:LONGEST_NAME],
        kind=KINDS[span.kind] if 0 <= span.kind < len(KINDS) else "unspecified",
        started_ns=span.start_time_unix_nano,
        ended_ns=max(span.start_time_unix_nano, span.end_time_unix_nano),
        is_error=_read_status(span.status).code == _ERROR,
        status_code=read_status_code(found),
        category=_categorize(source.scope, span.attributes, found),
        source=source,
        raw=span.SerializeToString(),
        is_json=False,
        **pick_texts(found),
    )


def _categorize(scope: str, raws: Iterable[bytes], found: dict[str, Any]) -> Category:
    if "statement" in found or "db.system" in found:
        return "database"
    if "method" in found or "address" in found:
        return "http"
    return categorize_scope(scope) or categorize_keys(raw[2:8].decode("latin-1") for raw in raws)


@lru_cache(maxsize=64)
def _read_release(resource: bytes, defaults: TelemetryDefaults) -> Any:
    return resources.read_release(_find(_read_resource(resource), _WANTED_OF_RESOURCES), defaults)


def _find(raws: Sequence[bytes], wanted: Mapping[bytes, str]) -> dict[str, Any]:
    try:
        return {name: read_value(raw) for name, raw in find_raw(raws, wanted).items()}
    except (DecodeError, IndexError):
        return {}


@lru_cache(maxsize=256)
def _read_scope(scope: bytes) -> str:
    return to_text(_parse(load_schema().Scope, scope).name)


def _read_resource(resource: bytes) -> Sequence[bytes]:
    raws: Sequence[bytes] = _parse(load_schema().Resource, resource).attributes
    return raws


def _read_status(status: bytes) -> Any:
    return _parse(load_schema().Status, status)


def _parse(message: Any, raw: bytes) -> Any:
    """The message; an empty one where the bytes are none, for only what makes an entry was looked
    into when the batch came."""
    try:
        return message.FromString(raw)
    except DecodeError:
        return message()


def _to_event(event: Any) -> SpanEvent:
    return SpanEvent(
        event.time_unix_nano // 1000, to_text(event.name), read_attributes(event.attributes)
    )


def _to_link(link: Any) -> SpanLink:
    return SpanLink(
        _read_id(link.trace_id), _read_id(link.span_id), read_attributes(link.attributes)
    )


def _read_id(given: bytes) -> str:
    """In hex; "" for none, which may be written as zeros."""
    return given[:_LONGEST_ID].hex() if any(given) else ""
