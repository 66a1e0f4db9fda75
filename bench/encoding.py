"""OTLP bodies of spans, in both encodings, as SDKs make them: grouped by scope."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtobufSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from bench.shop import Attributes, Process, Span

Encoding = Literal["protobuf", "json"]

EPOCH = 1_700_000_000 * 1_000_000_000
"""Added to the times of spans, so that they have as many digits as times of today."""

CONTENT_TYPES: Mapping[Encoding, str] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}


def get_encoder(encoding: Encoding) -> Callable[[Process, list[Span]], bytes]:
    return _encode_protobuf if encoding == "protobuf" else _encode_json


def group_by_scope(spans: list[Span]) -> Iterator[tuple[str, list[Span]]]:
    """As SDKs' encoders do."""
    for scope, group in groupby(sorted(spans, key=attrgetter("scope")), attrgetter("scope")):
        yield scope, list(group)


def _encode_protobuf(process: Process, spans: list[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(_protobuf_attributes(process.resource))
    for scope, group in group_by_scope(spans):
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name, scope_spans.scope.version = scope, "0.46b0"
        scope_spans.spans.extend(_protobuf_span(span) for span in group)
    return bytes(request.SerializeToString())


def _protobuf_span(span: Span) -> ProtobufSpan:
    encoded = ProtobufSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        name=span.name,
        kind=ProtobufSpan.SpanKind.ValueType(span.kind),
        start_time_unix_nano=EPOCH + span.start,
        end_time_unix_nano=EPOCH + span.end,
        attributes=_protobuf_attributes(span.attributes),
        flags=0x100,
    )
    if span.exception:
        encoded.events.add(
            time_unix_nano=EPOCH + span.end,
            name="exception",
            attributes=_protobuf_attributes(span.exception),
        )
        encoded.status.code = Status.STATUS_CODE_ERROR
    return encoded


def _protobuf_attributes(attributes: Attributes) -> list[KeyValue]:
    return [
        KeyValue(
            key=key,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for key, value in attributes.items()
    ]


def _encode_json(process: Process, spans: list[Span]) -> bytes:
    resource = {"attributes": _json_attributes(process.resource)}
    scopes = [
        {
            "scope": {"name": scope, "version": "0.46b0"},
            "spans": [_json_span(span) for span in group],
        }
        for scope, group in group_by_scope(spans)
    ]
    return msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]})


def _json_span(span: Span) -> Mapping[str, Any]:
    encoded: dict[str, Any] = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    if span.parent_id:
        encoded["parentSpanId"] = span.parent_id.hex()
    encoded |= {
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(EPOCH + span.start),
        "endTimeUnixNano": str(EPOCH + span.end),
        "attributes": _json_attributes(span.attributes),
        "flags": 0x100,
    }
    if span.exception:
        encoded["events"] = [
            {
                "timeUnixNano": str(EPOCH + span.end),
                "name": "exception",
                "attributes": _json_attributes(span.exception),
            }
        ]
        encoded["status"] = {"code": int(Status.STATUS_CODE_ERROR)}
    return encoded


def _json_attributes(attributes: Attributes) -> list[Mapping[str, Any]]:
    return [
        {
            "key": key,
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
        }
        for key, value in attributes.items()
    ]
