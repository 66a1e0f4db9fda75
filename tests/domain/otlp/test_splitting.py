"""Large bodies are cut into batches that together hold the same."""

import json
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from miniapm.domain.otlp.json_text import JsonSyntax, Shape
from miniapm.domain.otlp.splitting import LARGE_BYTES, Syntax, split_request
from miniapm.domain.otlp.wire import WireSyntax
from miniapm.domain.spans.compression import decompress
from miniapm.exceptions import Invalid
from tests.domain.otlp.mutating import mutations
from tests.domain.otlp.reading import ENCODINGS, read_body, write
from tests.otlp import Group, Span

pytestmark = pytest.mark.parametrize("encoding", ENCODINGS)


TRACES = Shape("resourceSpans", "scopeSpans", "spans")


def make_span(number: int, size: int = 0) -> Span:
    attributes = {"http.request.method": "GET", "http.route": f"/{number}", "big": "x" * size}
    return Span(number.to_bytes(16, "big"), attributes=attributes)


def make_groups(shape: Sequence[int], size: int = 0) -> list[Group]:
    """Groups with so many spans each."""
    numbers = iter(range(1, 1_000_000))
    return [
        Group([make_span(next(numbers), size) for _ in range(count)], {"service.name": f"s{n}"})
        for n, count in enumerate(shape)
    ]


@pytest.mark.parametrize(
    ("shape", "size"),
    [([12], 200_000), ([1, 11], 200_000), ([2000, 2000], 500), ([1] * 3000, 500)],
)
def test_the_parts_hold_the_same(encoding: str, shape: Sequence[int], size: int) -> None:
    body = write(encoding, make_groups(shape, size))
    telemetry = read_body(encoding, body)
    assert 1 < len(telemetry.batches) <= len(body) // LARGE_BYTES + 2
    found = [
        (entry.release.service, entry.endpoint)
        for batch in telemetry.batches
        for entry in batch.entries
    ]
    numbers = iter(range(1, 1_000_000))
    services = [f"s{n}" for n, count in enumerate(shape) for _ in range(count)]
    expected = [(service, f"GET /{next(numbers)}") for service in services]
    assert sorted(found) == sorted(expected)
    assert sum(batch.span_count for batch in telemetry.batches) == sum(shape)
    for batch in telemetry.batches:
        assert len(decompress(batch.body)) < 2 * LARGE_BYTES
        # what was cut is again a body that can be read
        again = read_body(encoding, decompress(batch.body))
        assert sum(part.span_count for part in again.batches) == batch.span_count


def test_a_span_that_is_too_large_is_refused(encoding: str) -> None:
    group = Group([make_span(1), make_span(2, LARGE_BYTES), make_span(3)])
    telemetry = read_body(encoding, write(encoding, [group]))
    assert (telemetry.rejected, telemetry.reason) == (1, "1 span refused: it is larger than 1 MiB")
    [batch] = telemetry.batches
    assert [entry.endpoint for entry in batch.entries] == ["GET /1", "GET /3"]


def test_a_resource_that_is_too_large_is_refused(encoding: str) -> None:
    group = Group([make_span(1)], {"big": "x" * LARGE_BYTES})
    with pytest.raises(Invalid, match="resource or scope is larger"):
        read_body(encoding, write(encoding, [group]))


def test_a_large_body_with_refused_spans(encoding: str) -> None:
    spans = [Span(start=1), *(make_span(n, 50_000) for n in range(1, 40)), Span(trace_id=b"")]
    telemetry = read_body(encoding, write(encoding, [Group(spans)]))
    assert telemetry.rejected == 2
    assert sum(batch.span_count for batch in telemetry.batches) == 39


@pytest.mark.parametrize(
    ("padding", "count", "message"),
    [(0, 600_000, "too many small pieces"), (200, 120_000, r"cannot be kept: \d+ spans refused")],
)
def test_very_many_bad_spans_are_soon_refused(
    encoding: str, padding: int, count: int, message: str
) -> None:
    is_json = encoding == "json"
    syntax: Syntax = JsonSyntax(TRACES) if is_json else WireSyntax()
    if is_json:
        span, beside = b'{"name":"%s"}' % (b"x" * padding), b"{}"
    else:
        name = b"\x2a" + bytes((padding // 2,)) + b"x" * (padding // 2)
        span, beside = b"\x12" + bytes((len(name),)) + name, b""
    body = syntax.write_owner(2, beside, [span] * count)
    for level in (1, 0):
        body = syntax.write_owner(level, beside, [body])
    with pytest.raises(Invalid, match=message):
        read_body(encoding, body)


def test_what_is_mutated_can_be_cut_or_is_refused(encoding: str) -> None:
    body = write(encoding, make_groups([2, 3], 30))
    syntax: Syntax = JsonSyntax(TRACES) if encoding == "json" else WireSyntax()

    @settings(max_examples=300)
    @given(mutations(body))
    def check(mutated: bytes) -> None:
        refused: list[None] = []
        with suppress(Invalid):
            for part in split_request(mutated, syntax, lambda: refused.append(None), 100):
                read_body(encoding, part)

    check()


def test_a_large_body_that_is_cut_off(encoding: str) -> None:
    body = write(encoding, make_groups([12], 200_000))
    for end in (len(body) - 1, len(body) // 2, LARGE_BYTES + 1):
        with pytest.raises(Invalid, match="not a valid OTLP"):
            read_body(encoding, body[:end])


def test_retries_of_large_bodies_are_recognised(encoding: str) -> None:
    body = write(encoding, make_groups([12], 200_000))
    one, again = ([batch.digest for batch in read_body(encoding, body).batches] for _ in range(2))
    assert one == again
    assert len(set(one)) == len(one)


def test_the_resource_may_stand_behind_its_spans(encoding: str) -> None:
    body = write(encoding, make_groups([12], 200_000))
    if encoding == "json":
        [resource_spans] = json.loads(body)["resourceSpans"]
        turned = dict(reversed(resource_spans.items()))
        body = json.dumps({"x": 1, "resourceSpans": [turned]}, indent=1).encode()
    else:
        request = ExportTraceServiceRequest.FromString(body)
        resource = request.resource_spans[0].resource.SerializeToString()
        request.resource_spans[0].ClearField("resource")
        content = request.resource_spans[0].SerializeToString()
        # fields that nobody knows: a number, 8 bytes, 4 bytes, a text with a large number
        unknown = b"\x18\x05" + b"\x21" + bytes(8) + b"\x2d" + bytes(4) + b"\xfa\x7f\x01x"
        content += unknown + b"\x0a" + bytes((len(resource),)) + resource
        body = WireSyntax().write_owner(1, b"", [content])
    batches = read_body(encoding, body).batches
    assert {entry.release.service for batch in batches for entry in batch.entries} == {"s0"}
    assert sum(batch.span_count for batch in batches) == 12
