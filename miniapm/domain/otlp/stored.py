"""Stored bodies back to spans: those of one trace, whole, and a body without them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from miniapm.domain.errors.exceptions import read_exception
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp import resources, stored_json
from miniapm.domain.otlp.attributes import (
    encode_names,
    find_raw,
    read_attributes,
    read_value,
    to_text,
)
from miniapm.domain.otlp.exceptions import EXCEPTION
from miniapm.domain.otlp.packing import is_packed, pack, unpack
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans import span as spans
from miniapm.domain.spans.batches import TAIL_BYTES, join_tails
from miniapm.domain.spans.categories import Category, categorize_keys, categorize_scope
from miniapm.domain.spans.compression import (
    Dictionary,
    compress_plain,
    compress_well,
    decompress,
    size_of,
)
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
from miniapm.domain.spans.values import Format, TelemetryDefaults

MOST_PACKED_BYTES = 8 * 1024 * 1024
"""Of a body as it came: what is larger would take long."""
_ERROR = 2
_LONGEST_ID = 16
_EXCEPTION = EXCEPTION.encode()
_WANTED = encode_names(spans.WANTED)
_WANTED_OF_RESOURCES = encode_names(resources.WANTED)


class DamagedBody(Exception):
    """A stored body does not open any more."""


class StoredBody(NamedTuple):
    """A batch's body as it is stored, compressed."""

    format: Format
    defaults: TelemetryDefaults
    body: bytes
    dictionary: Dictionary | None = None

    def open(self) -> bytes:
        """The body as it came; where it was packed, one that decodes to the same. DamagedBody."""
        return open_body(self.body, self.dictionary)

    def find(self, mark: bytes) -> bytes | None:
        """The body if `mark`, a trace id or its end or a part of an attribute, is in it; None,
        without unpacking it, if not. DamagedBody."""
        body = _decompress(self.body, self.dictionary)
        # packed or not, these stand in it as they are
        return _unpack(body) if mark in body else None

    @property
    def size(self) -> int:
        """How many bytes it opens to, about: a packed one is a little smaller."""
        return size_of(self.body)


class Rewritten(NamedTuple):
    """A body after spans were taken out; `body` is compressed, None when none are left."""

    body: bytes | None
    tails: bytes
    span_count: int


def compress_to_keep(format_: Format, body: bytes, dictionary: Dictionary | None) -> bytes:
    """A body as it is stored for good: packed where that gains, and compressed well."""
    packed = pack(body) if format_ == "protobuf" else None
    return compress_well(body if packed is None else packed, dictionary)


def open_body(frame: bytes, dictionary: Dictionary | None = None) -> bytes:
    """What `StoredBody.open` gives. DamagedBody."""
    return _unpack(_decompress(frame, dictionary))


def _decompress(frame: bytes, dictionary: Dictionary | None) -> bytes:
    try:
        return decompress(frame, dictionary)
    except Exception as error:
        raise DamagedBody(str(error)) from error


def _unpack(body: bytes) -> bytes:
    try:
        return unpack(body) if is_packed(body) else body
    except DecodeError as error:
        raise DamagedBody(str(error)) from error


def read_spans(stored: StoredBody, trace_id: bytes, limit: int) -> list[Span]:
    """The spans of a trace in a body, at most `limit`; none where it cannot be read."""
    if stored.format == "json":
        hex_id = trace_id.hex()
        return list(stored_json.read_spans(stored.open(), stored.defaults, hex_id, limit))
    # many batches that have a tail in common do not hold the trace
    body = stored.find(trace_id) if stored.format == "protobuf" else None
    if body is None:
        return []
    found: list[Span] = []
    for resource_spans, scope_spans, span in _walk(body):
        if span.trace_id == trace_id:
            if len(found) >= limit:
                break
            release = _read_release(resource_spans.resource, stored.defaults)
            source = Source(release, resource_spans.resource, _read_scope(scope_spans.scope))
            found.append(_to_span(span, source))
    return found


def find_trace_ids(stored: StoredBody, ending: str, limit: int) -> list[str]:
    """The trace ids (hex) in a body that end with `ending`, a tail at least; at most `limit`."""
    if stored.format == "json":
        return stored_json.find_trace_ids(stored.open(), ending, limit)
    tail = bytes.fromhex(ending[-2 * TAIL_BYTES :])
    body = stored.find(tail) if stored.format == "protobuf" else None
    if body is None:
        return []
    found: dict[str, None] = {}
    for _, _, span in _walk(body):
        trace_id = span.trace_id.hex()
        if trace_id.endswith(ending):
            found[trace_id] = None
            if len(found) >= limit:
                break
    return list(found)


def take_out(stored: StoredBody, trace_id: bytes) -> Rewritten | None:
    """The body without the spans of a trace; None when it holds none of them."""
    if stored.format == "json":
        kept = stored_json.take_out(stored.open(), trace_id.hex())
        if kept is None:
            return None
        rest, ids = kept
    elif stored.format == "protobuf" and (body := stored.find(trace_id)) is not None:
        request = load_schema().TracesRequest.FromString(body)
        if not _remove(request, trace_id):
            return None
        rest = request.SerializeToString()
        ids = [s.trace_id for _, _, s in _spans_of(request)]
    else:
        return None
    tails = join_tails(ids)
    return Rewritten(_compress_rest(stored, rest) if ids else None, tails, len(ids))


def _compress_rest(stored: StoredBody, rest: bytes) -> bytes:
    """Packed at once: the job that packs has been here. With the dictionary that it needed before,
    which is there as long as it is; another may be about to go."""
    if len(rest) > MOST_PACKED_BYTES:
        return compress_plain(rest)
    return compress_to_keep(stored.format, rest, stored.dictionary)


def read_details(span: Span, scrubber: Scrubber) -> SpanDetails:
    """What a span holds, as it came, with secrets masked."""
    details = stored_json.read_details(span) if span.is_json else _read_details(span)
    scrub = scrubber.scrub
    return SpanDetails(
        scrubber.scrub_text(details.status_message),
        scrub(details.attributes),
        [_read_exception(span, e, scrubber) for e in details.events if e.name == EXCEPTION],
        [
            SpanEvent(at, scrub(name), scrub(given))
            for at, name, given in details.events
            if name != EXCEPTION
        ],
        [SpanLink(trace, span, scrub(given)) for trace, span, given in details.links],
        scrub(details.resource),
    )


def may_hold_exception(span: Span) -> bool:
    """Quickly; not each that may does."""
    return _EXCEPTION in span.raw


def _read_exception(span: Span, event: SpanEvent, scrubber: Scrubber) -> Occurrence:
    told = (event.attributes.get(f"exception.{name}") for name in ("type", "message", "stacktrace"))
    return read_exception(
        span.source.release,
        event.at,
        *("" if value is None else str(value) for value in told),
        scrubber=scrubber,
        span_id=span.span_id,
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


def _read_details(span: Span) -> SpanDetails:
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
