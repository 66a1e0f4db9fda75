"""The words of telemetry: who served, what was served, and the batches in which it arrives."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from miniapm.domain.errors.values import Occurrence

Format = Literal["protobuf", "json", "requests"]
"""How a batch's body is to be read; `requests` have none. One of protobuf that was packed since
(`domain/otlp/packing.py`) tells so itself, by its first byte."""

ALL_ENDPOINTS = 0
"""The endpoint id under which rollups count a whole release."""

OTHER = "other"
"""The name of what came after a cap on names was reached."""

DEFAULT_ENV = "production"


class ReleaseName(NamedTuple):
    """A service in an environment at a version; "" where `version` or `revision` is unknown."""

    service: str
    env: str
    version: str
    revision: str


class TelemetryDefaults(NamedTuple):
    """What telemetry belongs to that names no service or environment: the key's own."""

    service: str
    env: str


class Entry(NamedTuple):
    """An entry span: what came into a service. Instants and durations in µs.

    `database_us` and `http_us` are the summed durations of its client spans of that kind.
    """

    release: ReleaseName
    endpoint: str
    started_at: int
    duration_us: int
    failed: bool
    status_code: int | None
    trace_id: bytes | None
    database_us: int = 0
    database_count: int = 0
    http_us: int = 0
    http_count: int = 0


class EarlyCalls(NamedTuple):
    """What client spans took that came before their entry: exporters send a span once it has ended,
    and an entry ends last. Durations in µs."""

    service: str
    trace_id: bytes
    database_us: int
    database_count: int
    http_us: int
    http_count: int


class SpanBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it is stored. `body` is compressed, `tails` the sorted last four bytes of its
    trace ids, `digest` what a retry of the same body is recognised by."""

    format: Format
    body: bytes
    digest: bytes
    tails: bytes
    span_count: int
    started_at: int
    ended_at: int
    entries: list[Entry]
    occurrences: list[Occurrence]
    early_calls: Sequence[EarlyCalls] = ()


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What one call brought: batches to store, and what was refused and why; a `reason` where
    nothing was is a warning."""

    batches: list[SpanBatch]
    rejected: int = 0
    reason: str = ""
