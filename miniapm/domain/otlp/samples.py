"""Bodies as dictionaries may learn from them: a dictionary is kept longer than what it was made of,
so it must not hold what people ask to have erased, which are traces and persons."""

from collections.abc import Iterable
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from miniapm.domain.otlp.persons import MARK
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans.values import Format

_IDS = ("traceId", "spanId", "parentSpanId")
_MARK = MARK.decode()


def clean_sample(format_: Format, body: bytes) -> bytes | None:
    """`body` without ids, links and whatever names a person; None where it cannot be read."""
    try:
        return _clean_json(body) if format_ == "json" else _clean_protobuf(body)
    except (DecodeError, msgspec.MsgspecError, AttributeError, TypeError):
        return None


def _clean_protobuf(body: bytes) -> bytes:
    request = load_schema().TracesRequest.FromString(body)
    for resource_spans in request.resource_spans:
        if MARK in resource_spans.resource:
            resource = load_schema().Resource.FromString(resource_spans.resource)
            _keep_unnamed(resource.attributes)
            resource_spans.resource = resource.SerializeToString()
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                _clean_span(span)
    cleaned: bytes = request.SerializeToString()
    return cleaned


def _clean_span(span: Any) -> None:
    # zeros of the same length: the bytes around them stay as they are
    span.trace_id = bytes(len(span.trace_id))
    span.span_id = bytes(len(span.span_id))
    span.parent_span_id = bytes(len(span.parent_span_id))
    del span.links[:]
    _keep_unnamed(span.attributes)
    _keep_unnamed(span.events)


def _keep_unnamed(raws: Any) -> None:
    kept = [raw for raw in raws if MARK not in raw]
    if len(kept) < len(raws):
        del raws[:]
        raws.extend(kept)


def _clean_json(body: bytes) -> bytes:
    request = msgspec.json.decode(body)
    for resource_spans in request.get("resourceSpans") or ():
        _drop_named(resource_spans.get("resource") or {})
        for scope_spans in resource_spans.get("scopeSpans") or ():
            for span in scope_spans.get("spans") or ():
                for name in _IDS:
                    if name in span:
                        span[name] = "0" * len(span[name])
                span.pop("links", None)
                _drop_named(span)
                for event in span.get("events") or ():
                    _drop_named(event)
    return msgspec.json.encode(request)


def _drop_named(owner: dict[str, Any]) -> None:
    attributes: Iterable[dict[str, Any]] = owner.get("attributes") or ()
    kept = [pair for pair in attributes if _MARK not in pair.get("key", "")]
    if "attributes" in owner:
        owner["attributes"] = kept
