"""Answers, read by OpenTelemetry's own classes."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from miniapm.domain.otlp.answers import (
    Encoding,
    encode_partial,
    encode_status,
    encode_success,
)


def test_success() -> None:
    assert encode_success(Encoding.PROTOBUF) == b""
    assert encode_success(Encoding.JSON) == b"{}"


@pytest.mark.parametrize("count", [0, 3, 2**40])
def test_partial_success(count: int) -> None:
    body = encode_partial(Encoding.PROTOBUF, "rejectedSpans", count, "weil ä")
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (count, "weil ä")
    logs = ExportLogsServiceResponse.FromString(body).partial_success
    assert logs.rejected_log_records == count
    written = json.loads(encode_partial(Encoding.JSON, "rejectedSpans", count, "weil ä"))
    expected = {"errorMessage": "weil ä"} | ({"rejectedSpans": str(count)} if count else {})
    assert written == {"partialSuccess": expected}


def test_status() -> None:
    # field 1 is the code, field 2 the message
    assert encode_status(Encoding.PROTOBUF, 3, "no") == b"\x08\x03\x12\x02no"
    assert json.loads(encode_status(Encoding.JSON, 3, "no")) == {"code": 3, "message": "no"}
