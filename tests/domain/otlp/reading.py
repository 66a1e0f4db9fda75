"""Calling the readers of both encodings in the same way."""

from collections.abc import Sequence

from miniapm.domain.otlp.exception_logs import Logs
from miniapm.domain.otlp.json_logs import read_json_logs
from miniapm.domain.otlp.json_traces import read_json_traces
from miniapm.domain.otlp.logs import read_logs
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import make_scrubber
from miniapm.domain.spans.values import Entry, Telemetry, TelemetryDefaults
from tests import otlp

DEFAULTS = TelemetryDefaults("default-service", "production")
ENCODINGS = ("protobuf", "json")


def write(encoding: str, groups: Sequence[otlp.Group]) -> bytes:
    return otlp.write_json(groups) if encoding == "json" else otlp.write_protobuf(groups)


def read_body(encoding: str, body: bytes) -> Telemetry:
    read = read_json_traces if encoding == "json" else read_traces
    return read(body, DEFAULTS, otlp.NOW, make_scrubber())


def read(encoding: str, *groups: otlp.Group) -> Telemetry:
    return read_body(encoding, write(encoding, groups))


def read_spans(encoding: str, *spans: otlp.Span, scope: str = "") -> list[Entry]:
    """The entries that these spans come to."""
    [batch] = read(encoding, otlp.Group(spans, scope=scope)).batches
    return batch.entries


def read_records(encoding: str, *groups: otlp.Group) -> Logs:
    if encoding == "json":
        return read_json_logs(otlp.write_logs_json(groups), DEFAULTS, otlp.NOW, make_scrubber())
    return read_logs(otlp.write_logs_protobuf(groups), DEFAULTS, otlp.NOW, make_scrubber())
