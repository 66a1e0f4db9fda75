"""The protobuf messages, declared by ourselves and lazily: what most spans are never asked for
(attributes, events, status, resource) stays bytes until somebody reads it, which parses three times
faster. All text is bytes, too: one bad character must not cost a batch.

Wire compatible with opentelemetry-proto; field numbers are the specification's.
"""

from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "miniapm"
_KINDS = {
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
}

# field: (number, kind); a kind in brackets is repeated, one that is a message name is that message
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "TracesRequest": {"resource_spans": (1, "[ResourceSpans]")},
    "ResourceSpans": {"resource": (1, "bytes"), "scope_spans": (2, "[ScopeSpans]")},
    "ScopeSpans": {"scope": (1, "bytes"), "spans": (2, "[Span]")},
    "Span": {
        "trace_id": (1, "bytes"),
        "span_id": (2, "bytes"),
        "parent_span_id": (4, "bytes"),
        "name": (5, "bytes"),
        "kind": (6, "int32"),
        "start_time_unix_nano": (7, "fixed64"),
        "end_time_unix_nano": (8, "fixed64"),
        "attributes": (9, "[bytes]"),
        "events": (11, "[bytes]"),
        "links": (13, "[bytes]"),
        "status": (15, "bytes"),
    },
    "LogsRequest": {"resource_logs": (1, "[ResourceLogs]")},
    "ResourceLogs": {"resource": (1, "bytes"), "scope_logs": (2, "[ScopeLogs]")},
    "ScopeLogs": {"scope": (1, "bytes"), "log_records": (2, "[LogRecord]")},
    "LogRecord": {
        "time_unix_nano": (1, "fixed64"),
        "body": (5, "bytes"),
        "attributes": (6, "[bytes]"),
        "trace_id": (9, "bytes"),
        "span_id": (10, "bytes"),
        "observed_time_unix_nano": (11, "fixed64"),
        "event_name": (12, "bytes"),
    },
    "MetricsRequest": {"resource_metrics": (1, "[ResourceMetrics]")},
    "ResourceMetrics": {"scope_metrics": (2, "[ScopeMetrics]")},
    "ScopeMetrics": {"metrics": (2, "[Metric]")},
    "Metric": {
        "gauge": (5, "Points"),
        "sum": (7, "Points"),
        "histogram": (9, "Points"),
        "exponential_histogram": (10, "Points"),
        "summary": (11, "Points"),
    },
    "Points": {"data_points": (1, "[bytes]")},
    "Resource": {"attributes": (1, "[bytes]")},
    "Scope": {"name": (1, "bytes"), "version": (2, "bytes")},
    "Status": {"message": (2, "bytes"), "code": (3, "int32")},
    "Event": {
        "time_unix_nano": (1, "fixed64"),
        "name": (2, "bytes"),
        "attributes": (3, "[bytes]"),
    },
    "Link": {"trace_id": (1, "bytes"), "span_id": (2, "bytes"), "attributes": (4, "[bytes]")},
    "KeyValue": {"key": (1, "bytes"), "value": (2, "AnyValue")},
    "AnyValue": {
        "string_value": (1, "bytes?"),
        "bool_value": (2, "bool?"),
        "int_value": (3, "int64?"),
        "double_value": (4, "double?"),
        "array_value": (5, "ArrayValue?"),
        "kvlist_value": (6, "KeyValues?"),
        "bytes_value": (7, "bytes?"),
    },
    "ArrayValue": {"values": (1, "[AnyValue]")},
    "KeyValues": {"values": (1, "[KeyValue]")},
    "PartialSuccess": {"rejected": (1, "int64"), "error_message": (2, "bytes")},
    "ExportResponse": {"partial_success": (1, "PartialSuccess")},
    "RpcStatus": {"code": (1, "int32"), "message": (2, "bytes")},
}


class Schema(NamedTuple):
    """The message classes; each has `FromString` and `SerializeToString`."""

    TracesRequest: Any
    LogsRequest: Any
    MetricsRequest: Any
    Span: Any
    Resource: Any
    Scope: Any
    Status: Any
    Event: Any
    Link: Any
    KeyValue: Any
    AnyValue: Any
    ExportResponse: Any
    RpcStatus: Any


@cache
def load_schema() -> Schema:
    """The classes, made once: nothing is built at import."""
    file = descriptor_pb2.FileDescriptorProto(
        name="miniapm_otlp.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            _add_field(described, name, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return Schema(
        *(
            message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
            for name in Schema._fields
        )
    )


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.startswith("[") else field.LABEL_OPTIONAL
    plain = kind.strip("[]?")
    if plain in _KINDS:
        field.type = _KINDS[plain]
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{plain}"
    if kind.endswith("?"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
