"""What exporters are answered, in the encoding of their request.

Full success is an empty message; a partial one says how many items were refused and why, and is
never retried; an error is a google.rpc.Status.
https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from enum import Enum

import msgspec

from miniapm.domain.otlp.schema import load_schema


class Encoding(Enum):
    """How a request is written; the value is its media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def encode_success(encoding: Encoding) -> bytes:
    """All was kept."""
    return b"{}" if encoding is Encoding.JSON else b""


def encode_partial(encoding: Encoding, rejected_name: str, rejected: int, message: str) -> bytes:
    """`rejected` items were not kept; 0 with a message is a warning. `rejected_name` is the JSON
    name of the count: rejectedSpans, rejectedLogRecords, rejectedDataPoints."""
    if encoding is Encoding.JSON:
        partial: dict[str, object] = {"errorMessage": message}
        if rejected:
            # a 64-bit integer is a string in proto3's JSON
            partial = {rejected_name: str(rejected), **partial}
        return msgspec.json.encode({"partialSuccess": partial})
    answer = load_schema().ExportResponse()
    answer.partial_success.rejected = rejected
    answer.partial_success.error_message = message.encode()
    encoded: bytes = answer.SerializeToString()
    return encoded


def encode_status(encoding: Encoding, code: int, message: str) -> bytes:
    """A google.rpc.Status; `code` is one of google.rpc.Code."""
    if encoding is Encoding.JSON:
        return msgspec.json.encode({"code": code, "message": message})
    encoded: bytes = (
        load_schema().RpcStatus(code=code, message=message.encode()).SerializeToString()
    )
    return encoded
