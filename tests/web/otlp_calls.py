"""Sending OTLP to the server under test, and reading what it answers with classes not our own."""

import gzip
import json
from dataclasses import dataclass
from typing import Any

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from miniapm.domain.otlp.schema import load_schema
from tests.conftest import Server

TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


@dataclass
class Sender:
    """An exporter with a key, in one encoding."""

    server: Server
    encoding: str
    secret: str | None = None
    path: str = "/v1/traces"

    def send(
        self, body: bytes, *, zipped: bool = False, content_encoding: str = ""
    ) -> httpx2.Response:
        """Posts `body`, compressed when `zipped`; else it is as its Content-Encoding says."""
        sent = {"content-type": TYPES[self.encoding]}
        if content_encoding:
            sent["content-encoding"] = content_encoding
        if self.secret is not None:
            sent["authorization"] = f"Bearer {self.secret}"
        if zipped:
            body = gzip.compress(body)
            sent["content-encoding"] = "gzip"
        answer = self.server.http.post(self.path, content=body, headers=sent)
        assert answer.headers["content-type"] == TYPES[self.encoding]
        return answer

    def read_partial(self, answer: httpx2.Response) -> tuple[int, str]:
        """How many were rejected, and why; (0, "") where all was taken."""
        assert answer.status_code == 200, answer.content
        if self.encoding == "protobuf":
            told = ExportTraceServiceResponse.FromString(answer.content).partial_success
            return told.rejected_spans, told.error_message
        partial = answer.json().get("partialSuccess", {})
        counts = [int(value) for name, value in partial.items() if name.startswith("rejected")]
        return sum(counts), partial.get("errorMessage", "")

    def read_status(self, answer: httpx2.Response) -> tuple[int, str]:
        """The google.rpc.Status in an error: code and message."""
        if self.encoding == "protobuf":
            status = load_schema().RpcStatus.FromString(answer.content)
            return status.code, status.message.decode()
        told: dict[str, Any] = json.loads(answer.content)
        return told["code"], told["message"]
