"""Stored bodies back to spans: those of one trace, whole, and a body without them."""

from typing import NamedTuple

from google.protobuf.message import DecodeError

from miniapm.domain.errors.exceptions import read_exception
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp import stored_json, stored_protobuf
from miniapm.domain.otlp.exceptions import EXCEPTION
from miniapm.domain.otlp.packing import is_packed, pack, unpack
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.batches import TAIL_BYTES, join_tails
from miniapm.domain.spans.compression import (
    Dictionary,
    compress_plain,
    compress_well,
    decompress,
    size_of,
)
from miniapm.domain.spans.span import Span, SpanDetails, SpanEvent, SpanLink
from miniapm.domain.spans.values import Format, TelemetryDefaults

MOST_PACKED_BYTES = 8 * 1024 * 1024
"""Of a body as it came: what is larger would take long."""
_EXCEPTION = EXCEPTION.encode()


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
    return list(stored_protobuf.read_spans(body, stored.defaults, trace_id, limit))


def find_trace_ids(stored: StoredBody, ending: str, limit: int) -> list[str]:
    """The trace ids (hex) in a body that end with `ending`, a tail at least; at most `limit`."""
    if stored.format == "json":
        return stored_json.find_trace_ids(stored.open(), ending, limit)
    tail = bytes.fromhex(ending[-2 * TAIL_BYTES :])
    body = stored.find(tail) if stored.format == "protobuf" else None
    return [] if body is None else stored_protobuf.find_trace_ids(body, ending, limit)


def take_out(stored: StoredBody, trace_id: bytes) -> Rewritten | None:
    """The body without the spans of a trace; None when it holds none of them."""
    kept = None
    if stored.format == "json":
        kept = stored_json.take_out(stored.open(), trace_id.hex())
    elif stored.format == "protobuf" and (body := stored.find(trace_id)) is not None:
        kept = stored_protobuf.take_out(body, trace_id)
    if kept is None:
        return None
    rest, ids = kept
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
    details = (stored_json if span.is_json else stored_protobuf).read_details(span)
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
