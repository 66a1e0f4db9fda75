"""Spans as an SDK would send them, and a store that records them at the time of a test's clock."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from miniapm.domain.ids import IdMaker
from miniapm.domain.otlp.json_traces import read_json_traces
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import TelemetryDefaults
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.spans.names import NameCaps
from miniapm.storage.telemetry import TelemetryStore
from tests import otlp
from tests.conftest import FakeClock

DEFAULTS = TelemetryDefaults("shop", "production")


class SentSpan(NamedTuple):
    """A span that took 10 ms; `started_at` in µs. One of another kind than SERVER has a parent."""

    trace_id: str
    started_at: int
    name: str = "GET /"
    kind: int = otlp.SERVER
    attributes: Mapping[str, str | int] = {}


def make_trace_id(number: int) -> str:
    return f"{number + 1:08x}" * 4


def write_protobuf(spans: Iterable[SentSpan], resource: otlp.Attributes | None = None) -> bytes:
    """The body of a trace request with one resource and scope."""
    return otlp.write_protobuf([_group(spans, resource)])


def write_json(spans: Iterable[SentSpan], resource: otlp.Attributes | None = None) -> bytes:
    """As `write_protobuf`, in JSON."""
    return otlp.write_json([_group(spans, resource)])


class Recorder:
    """A telemetry store over `connection`, one transaction a call."""

    def __init__(self, connection: Connection, clock: FakeClock, caps: NameCaps | None = None):
        self.connection = connection
        self.clock = clock
        self.store = TelemetryStore(connection, clock, IdMaker(clock), caps or NameCaps())

    def record(
        self,
        spans: Iterable[SentSpan],
        project_id: int = 1,
        *,
        as_json: bool = False,
        resource: otlp.Attributes | None = None,
    ) -> None:
        """Takes a request with these spans, as the server would now."""
        write, read = (write_json, read_json_traces) if as_json else (write_protobuf, read_traces)
        telemetry = read(write(spans, resource), DEFAULTS, self.clock(), Scrubber())
        assert telemetry.rejected == 0, telemetry.reason
        with transaction(self.connection):
            self.store.record_spans(self.connection, project_id, DEFAULTS, telemetry)

    def flush(self) -> None:
        with transaction(self.connection):
            self.store.flush(self.connection)


def _group(spans: Iterable[SentSpan], resource: otlp.Attributes | None) -> otlp.Group:
    items = [
        otlp.Span(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=number.to_bytes(8),
            parent_id=b"" if span.kind == otlp.SERVER else bytes([1] * 8),
            name=span.name,
            kind=span.kind,
            start=span.started_at * 1000,
            end=span.started_at * 1000 + 10 * otlp.MS,
            attributes=dict(span.attributes),
        )
        for number, span in enumerate(spans, 1)
    ]
    return otlp.Group(items, resource or {})
