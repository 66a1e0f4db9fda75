"""OTLP requests for tests: said once, written in either encoding by code that is not ours."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tests.factories import START

SERVER, CLIENT, PRODUCER, CONSUMER, INTERNAL = 2, 3, 4, 5, 1
NOW = START
NOW_NS = START * 1000
MS = 1_000_000

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Event:
    name: str = "exception"
    at: int = NOW_NS
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """A span; times in ns."""

    trace_id: bytes = b"\x0a" * 16
    span_id: bytes = b"\x0b" * 8
    parent_id: bytes = b""
    name: str = "GET /"
    kind: int = SERVER
    start: int = NOW_NS
    end: int = NOW_NS + 20 * MS
    attributes: Attributes = field(default_factory=dict)
    events: Sequence[Event] = ()
    status: int = 0


@dataclass(frozen=True)
class Log:
    """A log record; times in ns."""

    attributes: Attributes = field(default_factory=dict)
    at: int = NOW_NS
    observed_at: int = 0
    body: Any = None
    trace_id: bytes = b""
    span_id: bytes = b""


@dataclass(frozen=True)
class Group:
    """What one resource and scope sent."""

    items: Sequence[Any] = ()
    resource: Attributes = field(default_factory=lambda: {"service.name": "shop"})
    scope: str = ""


def to_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=to_pairs(value)))
    if value is None:
        return AnyValue()
    return AnyValue(array_value=ArrayValue(values=[to_value(item) for item in value]))


def to_pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=to_value(value)) for key, value in attributes.items()]


def write_protobuf(groups: Sequence[Group]) -> bytes:
    """An ExportTraceServiceRequest."""
    request = ExportTraceServiceRequest()
    for group in groups:
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(to_pairs(group.resource))
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = group.scope
        for given in group.items:
            span = scope_spans.spans.add(
                trace_id=given.trace_id,
                span_id=given.span_id,
                parent_span_id=given.parent_id,
                name=given.name,
                kind=given.kind,
                start_time_unix_nano=given.start,
                end_time_unix_nano=given.end,
                attributes=to_pairs(given.attributes),
            )
            span.status.code = given.status
            for event in given.events:
                span.events.add(
                    name=event.name,
                    time_unix_nano=event.at,
                    attributes=to_pairs(event.attributes),
                )
    return request.SerializeToString()


def write_logs_protobuf(groups: Sequence[Group]) -> bytes:
    """An ExportLogsServiceRequest."""
    request = ExportLogsServiceRequest()
    for group in groups:
        resource_logs = request.resource_logs.add()
        resource_logs.resource.attributes.extend(to_pairs(group.resource))
        scope_logs = resource_logs.scope_logs.add()
        for given in group.items:
            scope_logs.log_records.add(
                time_unix_nano=given.at,
                observed_time_unix_nano=given.observed_at,
                trace_id=given.trace_id,
                span_id=given.span_id,
                attributes=to_pairs(given.attributes),
                body=None if given.body is None else to_value(given.body),
            )
    return request.SerializeToString()


def to_json_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        # as proto3 has it; json.dumps writes no JSON for these
        return {"doubleValue": value if abs(value) < float("inf") else str(value)}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": to_json_pairs(value)}}
    if value is None:
        return {}
    return {"arrayValue": {"values": [to_json_value(item) for item in value]}}


def to_json_pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": to_json_value(value)} for key, value in attributes.items()]


def to_json(groups: Sequence[Group]) -> dict[str, Any]:
    """The same in JSON, as objects that a test may still change."""
    return {"resourceSpans": [_to_json_spans(group) for group in groups]}


def _to_json_spans(group: Group) -> dict[str, Any]:
    spans = []
    for given in group.items:
        events = [
            {
                "name": event.name,
                "timeUnixNano": str(event.at),
                "attributes": to_json_pairs(event.attributes),
            }
            for event in given.events
        ]
        spans.append(
            {
                "traceId": given.trace_id.hex(),
                "spanId": given.span_id.hex(),
                "parentSpanId": given.parent_id.hex(),
                "name": given.name,
                "kind": given.kind,
                "startTimeUnixNano": str(given.start),
                "endTimeUnixNano": str(given.end),
                "attributes": to_json_pairs(given.attributes),
                "events": events,
                "status": {"code": given.status},
            }
        )
    return {
        "resource": {"attributes": to_json_pairs(group.resource)},
        "scopeSpans": [{"scope": {"name": group.scope}, "spans": spans}],
    }


def write_json(groups: Sequence[Group]) -> bytes:
    return json.dumps(to_json(groups)).encode()


def write_logs_json(groups: Sequence[Group]) -> bytes:
    resource_logs = []
    for group in groups:
        records = [
            {
                "timeUnixNano": str(given.at),
                "observedTimeUnixNano": str(given.observed_at),
                "traceId": given.trace_id.hex(),
                "spanId": given.span_id.hex(),
                "attributes": to_json_pairs(given.attributes),
                "body": None if given.body is None else to_json_value(given.body),
            }
            for given in group.items
        ]
        resource_logs.append(
            {
                "resource": {"attributes": to_json_pairs(group.resource)},
                "scopeLogs": [{"scope": {}, "logRecords": records}],
            }
        )
    return json.dumps({"resourceLogs": resource_logs}).encode()
