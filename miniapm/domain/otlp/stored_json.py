"""What `stored_protobuf.py` does, for bodies in JSON.

A span stays text until it is known to be of the trace: a body holds hundreds of others.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from miniapm.domain.otlp.json_attributes import (
    find_json_attributes,
    find_json_keys,
    read_json_attributes,
)
from miniapm.domain.otlp.json_resources import (
    JsonResource,
    read_json_release,
    read_span_id,
    read_trace_id,
)
from miniapm.domain.spans import span as spans
from miniapm.domain.spans.categories import Category, categorize_keys, categorize_scope
from miniapm.domain.spans.endpoints import read_status_code
from miniapm.domain.spans.span import (
    KINDS,
    LONGEST_NAME,
    MOST_EVENTS,
    MOST_LINKS,
    Kind,
    Source,
    Span,
    SpanDetails,
    SpanEvent,
    SpanLink,
    pick_texts,
)
from miniapm.domain.spans.values import TelemetryDefaults

_NULL = msgspec.Raw(b"null")
_LATEST = 2**64 - 1
_ERRORS = (2, "2", "STATUS_CODE_ERROR")


class _Head(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None


class _StatusCode(msgspec.Struct):
    code: int | str | None = None


class _StatusMessage(msgspec.Struct):
    message: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    time_unix_nano: int | None = None
    name: str | None = None
    attributes: msgspec.Raw = _NULL


class _Link(msgspec.Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: msgspec.Raw = _NULL


class _Span(msgspec.Struct, rename="camel"):
    """What ingest reads of each span, as it reads it; the rest is read leniently."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: int | None = None
    end_time_unix_nano: int | None = None
    attributes: msgspec.Raw = _NULL
    events: msgspec.Raw = _NULL
    links: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL


class _Scope(msgspec.Struct):
    name: str | None = None


class _ScopeSpans(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = _NULL
    spans: list[msgspec.Raw] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = _NULL
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_REQUEST = msgspec.json.Decoder(_Request, strict=False)
_HEAD = msgspec.json.Decoder(_Head, strict=False)
_SPAN = msgspec.json.Decoder(_Span, strict=False)
_SCOPE = msgspec.json.Decoder(_Scope | None, strict=False)
_RESOURCE = msgspec.json.Decoder(JsonResource | None, strict=False)
_STATUS_CODE = msgspec.json.Decoder(_StatusCode | None, strict=False)
_STATUS_MESSAGE = msgspec.json.Decoder(_StatusMessage | None, strict=False)
_LIST = msgspec.json.Decoder(list[msgspec.Raw] | None)
_EVENT = msgspec.json.Decoder(_Event, strict=False)
_LINK = msgspec.json.Decoder(_Link, strict=False)
_WANTED: Mapping[str, str] = {n.decode(): meaning for n, meaning in spans.WANTED.items()}
_ESCAPE = b"\\u00"

Read = TypeVar("Read")


def read_spans(
    body: bytes, defaults: TelemetryDefaults, trace_id: str, limit: int
) -> Iterator[Span]:
    """The spans of a trace (hex) in a body; what cannot be read of one is left out of it."""
    if not _may_hold(body, trace_id):
        return
    for resource_spans, scope_spans, raw in _walk(body):
        if limit <= 0:
            return
        if _trace_of(raw) == trace_id:
            source = _read_source(bytes(resource_spans.resource), scope_spans.scope, defaults)
            try:
                yield _to_span(bytes(raw), source)
            except (ValueError, RecursionError):
                continue
            limit -= 1


def find_trace_ids(body: bytes, ending: str, limit: int) -> list[str]:
    """The trace ids (hex) in a body that end with `ending`, at most `limit`."""
    if not _may_hold(body, ending):
        return []
    found: dict[str, None] = {}
    for _, _, raw in _walk(body):
        trace_id = _trace_of(raw)
        if trace_id.endswith(ending):
            found[trace_id] = None
            if len(found) >= limit:
                break
    return list(found)


def take_out(body: bytes, trace_id: str) -> tuple[bytes, list[bytes]] | None:
    """The body without the spans of a trace (hex), and the trace ids that are left, one a span;
    None when it has none of them."""
    if not _may_hold(body, trace_id):
        return None
    request = _REQUEST.decode(body)
    ids: list[bytes] = []
    removed = False
    for resource_spans in request.resource_spans or ():
        for scope_spans in resource_spans.scope_spans or ():
            kept = []
            for raw in scope_spans.spans or ():
                found = _trace_of(raw)
                if found == trace_id:
                    removed = True
                else:
                    kept.append(raw)
                    ids.append(bytes.fromhex(found))
            scope_spans.spans = kept
    return (msgspec.json.encode(request), ids) if removed else None


def read_details(span: Span) -> SpanDetails:
    """What a span holds, as it came."""
    read = _SPAN.decode(span.raw)
    status = _read(_STATUS_MESSAGE, read.status)
    resource = _read(_RESOURCE, span.source.resource)
    return SpanDetails(
        (status.message if status else "") or "",
        _read_attributes(read.attributes),
        [],
        [
            SpanEvent(
                _read_time(event.time_unix_nano) // 1000,
                event.name or "",
                _read_attributes(event.attributes),
            )
            for event in _read_items(_EVENT, read.events, MOST_EVENTS)
        ],
        [
            SpanLink(
                read_trace_id(link.trace_id).hex(),
                read_span_id(link.span_id).hex(),
                _read_attributes(link.attributes),
            )
            for link in _read_items(_LINK, read.links, MOST_LINKS)
        ],
        _read_attributes(resource.attributes if resource else _NULL),
    )


def _may_hold(body: bytes, text: str) -> bool:
    """Whether ids with this `text` (hex) may stand in a body: quickly, for most have no such id."""
    return text.encode() in body.lower() or _ESCAPE in body


def _read(decoder: msgspec.json.Decoder[Read], raw: bytes | msgspec.Raw) -> Read | None:
    """What `decoder` makes of it; None where it is no such thing."""
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):
        return None


def _read_items(decoder: msgspec.json.Decoder[Read], raw: msgspec.Raw, most: int) -> Iterator[Read]:
    """Those of the first items of a list that are what they should be."""
    for item in (_read(_LIST, raw) or [])[:most]:
        read = _read(decoder, item)
        if read is not None:
            yield read


def _walk(body: bytes) -> Iterator[tuple[_ResourceSpans, _ScopeSpans, msgspec.Raw]]:
    try:
        request = _REQUEST.decode(body)
    except (ValueError, RecursionError):
        return
    for resource_spans in request.resource_spans or ():
        for scope_spans in resource_spans.scope_spans or ():
            for raw in scope_spans.spans or ():
                yield resource_spans, scope_spans, raw


def _trace_of(raw: msgspec.Raw) -> str:
    try:
        return read_trace_id(_HEAD.decode(raw).trace_id).hex()
    except (ValueError, RecursionError):
        return ""


def _read_source(resource: bytes, scope: msgspec.Raw, defaults: TelemetryDefaults) -> Source:
    release, name = read_json_release(None, defaults), ""
    try:
        release = read_json_release(_RESOURCE.decode(resource), defaults)
        read_scope = _SCOPE.decode(scope)
        name = (read_scope.name if read_scope else "") or ""
    except (ValueError, RecursionError):
        pass
    return Source(release, resource, name)


def _to_span(raw: bytes, source: Source) -> Span:
    read = _SPAN.decode(raw)
    started = _read_time(read.start_time_unix_nano)
    found = _find(read.attributes)
    status = _read(_STATUS_CODE, read.status)
    return Span(
        span_id=read_span_id(read.span_id).hex(),
        parent_id=read_span_id(read.parent_span_id).hex(),
        name=(read.name or "")[:LONGEST_NAME],
        kind=_read_kind(read.kind),
        started_ns=started,
        ended_ns=max(started, _read_time(read.end_time_unix_nano)),
        is_error=status is not None and status.code in _ERRORS,
        status_code=read_status_code(found),
        category=_categorize(source.scope, read.attributes, found),
        source=source,
        raw=raw,
        is_json=True,
        **pick_texts(found),
    )


def _read_time(given: int | None) -> int:
    """As many as protobuf has room for."""
    return min(max(given or 0, 0), _LATEST)


def _read_kind(given: int | str | None) -> Kind:
    if isinstance(given, str):
        name = given.lower().removeprefix("span_kind_")
        given = int(name) if name.isascii() and name.isdigit() and len(name) == 1 else given
        return next((kind for kind in KINDS if kind == name), _read_number(given))
    return _read_number(given)


def _read_number(given: Any) -> Kind:
    return KINDS[given] if isinstance(given, int) and 0 <= given < len(KINDS) else "unspecified"


def _find(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return find_json_attributes(raw, _WANTED)
    except (ValueError, RecursionError):
        return {}


def _read_attributes(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return read_json_attributes(raw)
    except (ValueError, RecursionError):
        return {}


def _categorize(scope: str, raw: msgspec.Raw, found: dict[str, Any]) -> Category:
    if "statement" in found or "db.system" in found:
        return "database"
    if "method" in found or "address" in found:
        return "http"
    try:
        return categorize_scope(scope) or categorize_keys(find_json_keys(raw))
    except (ValueError, RecursionError):
        return ""
