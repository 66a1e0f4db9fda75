"""The load of the benches is what it says: realistic, ever new, and the same in both encodings."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench.encoding import Encoding
from bench.stored import exact_p95
from bench.traces import SECOND, Bodies, Entry, Pool, find_stretch, make_pool

BEGIN = 1_790_000_000 * SECOND


@pytest.fixture(scope="module")
def pool() -> Pool:
    return make_pool(spans=12_000, batch=512)


def read(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        span
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def read_all(bodies: Bodies, numbers: range) -> Iterator[Span]:
    for number in numbers:
        yield from read(bodies.make(number))


def exceptions_of(span: Span) -> list[int]:
    """The lengths of the stack traces in its events."""
    return [
        len(attribute.value.string_value)
        for event in span.events
        for attribute in event.attributes
        if attribute.key == "exception.stacktrace"
    ]


def test_batches_are_full_and_grouped_by_scope(pool: Pool) -> None:
    request = ExportTraceServiceRequest.FromString(Bodies(pool, "a", BEGIN, 1).make(0))
    [resource_spans] = request.resource_spans
    scopes = [scope_spans.scope.name for scope_spans in resource_spans.scope_spans]
    assert len(scopes) == len(set(scopes)) == 5
    assert sum(len(scope_spans.spans) for scope_spans in resource_spans.scope_spans) == 512
    assert len(resource_spans.resource.attributes) == 15


def test_spans_are_those_of_a_web_application(pool: Pool) -> None:
    spans = list(read_all(Bodies(pool, "a", BEGIN, 1), range(len(pool.templates))))
    servers = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    assert 9 < len(spans) / len(servers) < 13
    assert {len(span.attributes) for span in servers} == {13}
    keys = Counter(attribute.key for span in servers for attribute in span.attributes)
    assert 0.3 < keys["http.method"] / len(servers) < 0.7
    assert keys["http.method"] + keys["http.request.method"] == len(servers)
    failed = [span for span in servers if span.status.code == 2]
    assert 0 < len(failed) / len(servers) < 0.03
    for span in failed:
        [length] = exceptions_of(span)
        assert 1_800 < length < 2_600


def test_children_lie_in_their_server_span(pool: Pool) -> None:
    spans = list(read_all(Bodies(pool, "a", BEGIN, 40), range(len(pool.templates))))
    servers = {s.span_id: s for s in spans if s.kind == Span.SPAN_KIND_SERVER}
    children = [span for span in spans if span.parent_span_id in servers]
    assert len(children) > 8_000
    for child in children:
        parent = servers[child.parent_span_id]
        assert child.trace_id == parent.trace_id
        assert parent.start_time_unix_nano <= child.start_time_unix_nano
        assert child.end_time_unix_nano <= parent.end_time_unix_nano


def test_every_body_is_new_and_time_goes_on(pool: Pool) -> None:
    bodies = Bodies(pool, "a", BEGIN, 3)
    count = len(pool.templates)
    first, second = (
        list(read_all(bodies, range(count * turn, count * (turn + 1)))) for turn in (0, 1)
    )
    ids = {(span.trace_id, span.span_id) for span in first + second}
    assert len(ids) == len(first) + len(second)
    for before, after in zip(first, second, strict=True):
        shift = after.start_time_unix_nano - before.start_time_unix_nano
        assert shift == pool.length * 3
        assert after.end_time_unix_nano - before.end_time_unix_nano == shift
        assert (before.name, before.attributes) == (after.name, after.attributes)
    assert all(span.start_time_unix_nano >= BEGIN for span in first)


def test_a_body_can_be_made_again_but_not_by_another_run(pool: Pool) -> None:
    assert Bodies(pool, "a", BEGIN, 3).make(5) == Bodies(pool, "a", BEGIN, 3).make(5)
    assert Bodies(pool, "a", BEGIN, 3).make(5) != Bodies(pool, "b", BEGIN, 3).make(5)


def test_events_move_with_their_span(pool: Pool) -> None:
    spans = read_all(Bodies(pool, "a", BEGIN, 7), range(len(pool.templates)))
    times = [(e.time_unix_nano, span.end_time_unix_nano) for span in spans for e in span.events]
    assert times
    assert all(event == end for event, end in times)


def to_json_like(span: Span) -> tuple[Any, ...]:
    attributes = {a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes}
    return (
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        int(span.kind),
        str(span.start_time_unix_nano),
        str(span.end_time_unix_nano),
        attributes,
        len(span.events),
    )


def from_json(span: dict[str, Any]) -> tuple[Any, ...]:
    return (
        span["traceId"],
        span["spanId"],
        span.get("parentSpanId", ""),
        span["name"],
        span["kind"],
        span["startTimeUnixNano"],
        span["endTimeUnixNano"],
        {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]},
        len(span.get("events", ())),
    )


def test_json_says_the_same_as_protobuf() -> None:
    encodings: tuple[Encoding, Encoding] = ("protobuf", "json")
    protobuf, as_json = (
        Bodies(make_pool(encoding=encoding, spans=600, batch=100), "a", BEGIN, 2)
        for encoding in encodings
    )
    for number in (0, 8):
        decoded = json.loads(as_json.make(number))
        spans = [
            span
            for scope_spans in decoded["resourceSpans"][0]["scopeSpans"]
            for span in scope_spans["spans"]
        ]
        assert [from_json(s) for s in spans] == [
            to_json_like(s) for s in read(protobuf.make(number))
        ]


def test_the_density_that_is_asked_for_is_kept(pool: Pool) -> None:
    day = 86_400 * SECOND
    stretch = find_stretch(pool.spans, pool.length, 1_000_000, day)
    rounds = 1_000_000 / pool.spans
    assert 0.98 < rounds * pool.length * stretch / day <= 1


def test_entries_count_with_each_round(pool: Pool) -> None:
    count = len(pool.templates)
    sent = list(pool.count_entries(2 * count + 1))
    servers = sum(
        span.kind == Span.SPAN_KIND_SERVER
        for span in read_all(Bodies(pool, "a", BEGIN, 1), range(2 * count + 1))
    )
    assert sum(times for _, times in sent) == servers


def test_exact_percentiles_are_by_nearest_rank() -> None:
    entries = [(Entry("shop", "GET /", duration, False), 2) for duration in range(1, 21)]
    assert exact_p95(entries) == {("shop", "GET /"): 19}
