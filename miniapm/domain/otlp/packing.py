"""Bodies of traces in protobuf, turned so that zstd packs them a quarter better.

Ids and times are most of what is left of a compressed body, and stand scattered over its messages.
Packed, all of a kind stand side by side, a parent is a number, and times count from the first.

Numbers are little-endian. A packed body is a header, parts one after the other, and what is left:

    1      version: 1. No protobuf message begins with a byte below 8, for there is no field 0
    4      CRC-32 of all that follows
    2      spans: n, in the order in which they stand in the request
    2      traces: m
    8      the earliest start, ns
    16 m   trace ids, whole, in the order in which they first appear
    2 n    of each span the place of its trace
    2 n    of each span the place of its parent, of any that has that id; 0xFFFF where it is not
           here, or there is none: then it stays in the message
    8 n    of each span how long after the earliest start it began, ns
    8 n    of each span its duration, ns, modulo 2**64: it may end before it starts
    8 n    span ids
    rest   the request in protobuf, without what stands above

The numbers of spans are written as planes: the lowest bytes of all, then the next ones. `unpack`
gives bytes that decode to the same request by our schema (`schema.py`), with the fields that it
does not know. The order of fields in a message is then protobuf's own, and a resource, scope or
status that is there and empty has become none, which means the same.
"""

import struct
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any
from zlib import crc32

from google.protobuf.message import DecodeError

from miniapm.domain.otlp.schema import load_schema

VERSION = 1
_LEAST_TAG = 8
_CHECKED = struct.Struct("<BI")
_COUNTS = struct.Struct("<HHQ")
_HEADER_BYTES = _CHECKED.size + _COUNTS.size
_TRACE_BYTES = 16
_SPAN_BYTES = 8
_ELSEWHERE = 0xFFFF
_MOST_SPANS = _ELSEWHERE
# zstd finds little in columns that are shorter
FEWEST_SPANS = 16
_MASK = 2**64 - 1
_PLACE, _TIME = 2, 8
_BYTES_A_SPAN = _PLACE + _PLACE + _TIME + _TIME + _SPAN_BYTES
_IDS = tuple(map(attrgetter, ("trace_id", "span_id", "parent_span_id")))
_TIMES = tuple(map(attrgetter, ("start_time_unix_nano", "end_time_unix_nano")))


def is_packed(body: bytes) -> bool:
    """Whether `pack` made it, of whatever version: no body that arrived looks so."""
    return bool(body) and body[0] < _LEAST_TAG


def pack(body: bytes, fewest_spans: int = FEWEST_SPANS) -> bytes | None:
    """The packed form of a request, which unpacks to the same. None for what gains nothing by it,
    having few spans, or has no such form: its ids are of unusual lengths, its spans too many, or it
    is no request."""
    try:
        request = load_schema().TracesRequest.FromString(body)
    except DecodeError:
        return None
    whole = request.SerializeToString()
    packed = _pack(request, max(1, fewest_spans))
    return packed if packed is not None and unpack(packed) == whole else None


def unpack(packed: bytes) -> bytes:
    """The request in protobuf. DecodeError when the bytes are not what `pack` gave."""
    if len(packed) < _HEADER_BYTES:
        raise DecodeError("The packed body is cut off.")
    version, checked = _CHECKED.unpack_from(packed)
    if version != VERSION:
        raise DecodeError(f"The body is packed in a way that is not known here: {version}.")
    if checked != crc32(memoryview(packed)[_CHECKED.size :]):
        raise DecodeError("The packed body is damaged.")
    count, traces, base = _COUNTS.unpack_from(packed, _CHECKED.size)
    end = _HEADER_BYTES + traces * _TRACE_BYTES
    trace_ids = _split(packed[_HEADER_BYTES:end], _TRACE_BYTES)
    columns = packed[end : end + count * _BYTES_A_SPAN]
    places, parents, starts, durations = _read_numbers(columns, count)
    span_ids = _split(columns[-count * _SPAN_BYTES :], _SPAN_BYTES)
    request = load_schema().TracesRequest.FromString(packed[end + len(columns) :])
    rows = zip(_spans_of(request), places, span_ids, parents, starts, durations, strict=True)
    for span, place, span_id, parent, start, duration in rows:
        start += base
        span.trace_id = trace_ids[place]
        span.span_id = span_id
        if parent != _ELSEWHERE:
            span.parent_span_id = span_ids[parent]
        span.start_time_unix_nano = start
        span.end_time_unix_nano = start + duration & _MASK
    result: bytes = request.SerializeToString()
    return result


def _pack(request: Any, fewest_spans: int) -> bytes | None:
    spans = list(_spans_of(request))
    count = len(spans)
    if not fewest_spans <= count <= _MOST_SPANS:
        return None
    # column by column: half the time of one span after the other
    trace_ids, span_ids, parent_ids = (list(map(get, spans)) for get in _IDS)
    if not (_all_have(trace_ids, _TRACE_BYTES) and _all_have(span_ids, _SPAN_BYTES)):
        return None
    starts, ends = (list(map(get, spans)) for get in _TIMES)
    base = min(starts)
    traces = {trace_id: place for place, trace_id in enumerate(dict.fromkeys(trace_ids))}
    known = {span_id: place for place, span_id in enumerate(span_ids)}
    parents = [known.get(parent_id, _ELSEWHERE) for parent_id in parent_ids]
    for span, parent in zip(spans, parents, strict=True):
        clear = span.ClearField
        clear("trace_id")
        clear("span_id")
        clear("start_time_unix_nano")
        clear("end_time_unix_nano")
        if parent != _ELSEWHERE:
            clear("parent_span_id")
    content = b"".join(
        (
            _COUNTS.pack(count, len(traces), base),
            *traces,
            _write_numbers("H", _PLACE, map(traces.__getitem__, trace_ids), count),
            _write_numbers("H", _PLACE, parents, count),
            _write_numbers("Q", _TIME, (start - base for start in starts), count),
            _write_numbers(
                "Q", _TIME, (e - s & _MASK for s, e in zip(starts, ends, strict=True)), count
            ),
            *span_ids,
            request.SerializeToString(),
        )
    )
    return _CHECKED.pack(VERSION, crc32(content)) + content


def _spans_of(request: Any) -> Iterable[Any]:
    return (
        span
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    )


def _all_have(ids: Sequence[bytes], length: int) -> bool:
    return set(map(len, ids)) == {length}


def _split(ids: bytes, length: int) -> list[bytes]:
    return [ids[place : place + length] for place in range(0, len(ids), length)]


def _write_numbers(kind: str, size: int, numbers: Iterable[int], count: int) -> bytes:
    rows = struct.pack(f"<{count}{kind}", *numbers)
    return b"".join(rows[plane::size] for plane in range(size))


def _read_numbers(columns: bytes, count: int) -> list[Sequence[int]]:
    found: list[Sequence[int]] = []
    end = 0
    for kind, size in (("H", _PLACE), ("H", _PLACE), ("Q", _TIME), ("Q", _TIME)):
        rows = bytearray(count * size)
        for plane in range(size):
            rows[plane::size] = columns[end : end + count]
            end += count
        found.append(struct.unpack(f"<{count}{kind}", rows))
    return found
