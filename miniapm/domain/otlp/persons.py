"""Which traces in a stored body name a person: by `user.id` or `enduser.id` of a span or of its
resource."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from miniapm.domain.otlp.attributes import read_attributes
from miniapm.domain.otlp.json_attributes import NONE_GIVEN, find_json_attributes
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.otlp.stored import DamagedBody, StoredBody

_NAMES = ("user.id", "enduser.id")
_WANTED = {name: name for name in _NAMES}
MARK = b"user.id"
"""What stands in every attribute that names a person, and in few others."""


class _Resource(msgspec.Struct):
    attributes: msgspec.Raw = NONE_GIVEN


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    attributes: msgspec.Raw = NONE_GIVEN


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


def find_traces_of(stored: StoredBody, user_id: str) -> set[str]:
    """The ids (hex) of the traces that name `user_id`; none where the body cannot be read."""
    if stored.format == "requests":
        return set()
    try:
        body = stored.find(MARK)
        if body is None:  # nearly all: not worth a decoder
            return set()
        named = _read_json(body) if stored.format == "json" else _read_protobuf(body)
        return {trace for trace, values in named if any(str(v) == user_id for v in values)}
    except (DamagedBody, DecodeError, msgspec.DecodeError):
        return set()


def _read_protobuf(body: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Each span's trace id with the persons that it names."""
    for resource_spans in load_schema().TracesRequest.FromString(body).resource_spans:
        resource = load_schema().Resource.FromString(resource_spans.resource)
        everywhere = _read_named(resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield span.trace_id.hex(), [*everywhere, *_read_named(span.attributes)]


def _read_named(raws: Iterable[bytes]) -> list[Any]:
    read = read_attributes(raw for raw in raws if MARK in raw)
    return [read[name] for name in _NAMES if name in read]


def _read_json(body: bytes) -> Iterator[tuple[str, list[Any]]]:
    request = msgspec.json.decode(body, type=_Request)
    for resource_spans in request.resource_spans or ():
        resource = resource_spans.resource or _Resource()
        everywhere = list(find_json_attributes(resource.attributes, _WANTED).values())
        for scope_spans in resource_spans.scope_spans or ():
            for span in scope_spans.spans or ():
                named = find_json_attributes(span.attributes, _WANTED)
                yield span.trace_id.lower(), [*everywhere, *named.values()]
