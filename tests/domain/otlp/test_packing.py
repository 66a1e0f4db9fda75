"""Packed bodies: whatever was packed comes back the same, and what is damaged is told."""

from random import Random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from miniapm.domain.otlp.packing import FEWEST_SPANS, VERSION, is_packed, pack, unpack
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans.compression import compress_well
from tests.domain.otlp.mutating import mutations
from tests.otlp import MS, NOW_NS, Group, Span, write_protobuf

GOLDEN = (
    "014659d80502000100000064a7b3b6e00dababababababababababababababab"
    "ab00000000ff00ff000002000100000000000000000000000070ff11ff01ff00"
    "ff00ff00ff00ff00ff010101010101010102020202020202020a15121312072a"
    "05474554202f12082a0653454c454354"
)
MANY = settings(max_examples=300)

span_ids = st.integers(0, 9).map(lambda number: bytes([number] * 8))
times = st.integers(NOW_NS - MS, NOW_NS + MS) | st.integers(0, 2**64 - 1) | st.just(0)


def _make_request(resources: Any) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest(resource_spans=resources)


spans = st.fixed_dictionaries(
    {
        "trace_id": st.integers(0, 3).map(lambda number: bytes([number] * 16)),
        "span_id": span_ids,
        "parent_span_id": span_ids | st.sampled_from([b"", bytes(8), b"\x99" * 8, b"short"]),
        "start_time_unix_nano": times,
        "end_time_unix_nano": times,
        "name": st.sampled_from(["GET /", "SELECT", ""]),
        "kind": st.integers(0, 5),
        # the four that our schema does not know
        "trace_state": st.sampled_from(["", "vendor=1"]),
        "flags": st.integers(0, 2**32 - 1),
        "dropped_links_count": st.integers(0, 3),
        "status": st.sampled_from([{"code": 1}, {"code": 2, "message": "told"}]),
        "events": st.lists(st.builds(dict, name=st.just("e"), time_unix_nano=times), max_size=2),
    }
)
scopes = st.fixed_dictionaries(
    {"schema_url": st.sampled_from(["", "https://schema"]), "spans": st.lists(spans, max_size=8)}
)
requests = st.lists(
    st.fixed_dictionaries({"scope_spans": st.lists(scopes, max_size=3)}), max_size=3
).map(_make_request)


def write_spans(count: int, **fields: Any) -> bytes:
    return write_protobuf([Group([Span(**fields)] * count)])


def must_pack(body: bytes) -> bytes:
    packed = pack(body, fewest_spans=1)
    assert packed is not None
    return packed


def count_spans(request: Any) -> int:
    return sum(len(scope.spans) for given in request.resource_spans for scope in given.scope_spans)


@MANY
@given(requests)
def test_a_request_comes_back_the_same(request: Any) -> None:
    assume(count_spans(request))
    again = unpack(must_pack(request.SerializeToString()))
    assert ExportTraceServiceRequest.FromString(again) == request


@MANY
@given(requests.map(lambda request: request.SerializeToString()).flatmap(mutations))
def test_a_spoiled_body_comes_back_the_same_or_is_not_packed(body: bytes) -> None:
    packed = pack(body, fewest_spans=1)
    if packed is not None:
        read = load_schema().TracesRequest.FromString
        assert read(unpack(packed)) == read(body)
        assert read(unpack(packed)).SerializeToString() == read(body).SerializeToString()


PACKED = must_pack(
    write_protobuf(
        [
            Group(
                [
                    Span(span_id=b"\x01" * 8),
                    Span(span_id=b"\x02" * 8, parent_id=b"\x01" * 8, start=NOW_NS + MS),
                    Span(trace_id=b"\x0c" * 16, parent_id=b"\x77" * 8),
                ]
            )
        ]
    )
)


@MANY
@given(mutations(PACKED))
def test_a_spoiled_packed_body_is_never_something_else(packed: bytes) -> None:
    if packed == PACKED:
        assert unpack(packed) == unpack(PACKED)
    else:
        with pytest.raises(DecodeError):
            unpack(packed)


@pytest.mark.parametrize("length", range(len(PACKED)))
def test_a_packed_body_that_is_cut_off_is_told(length: int) -> None:
    with pytest.raises(DecodeError, match=r"cut off|damaged"):
        unpack(PACKED[:length])


def test_what_a_later_version_packed_is_told() -> None:
    with pytest.raises(DecodeError, match="not known here: 2"):
        unpack(bytes([VERSION + 1]) + PACKED[1:])


def test_what_was_packed_once_is_read_for_ever() -> None:
    """Written by version 1: bodies are kept as long as the settings say."""
    packed = bytes.fromhex(GOLDEN)
    request = ExportTraceServiceRequest.FromString(unpack(packed))
    [first, second] = request.resource_spans[0].scope_spans[0].spans
    assert (first.trace_id, first.span_id, first.parent_span_id) == (b"\xab" * 16, b"\x01" * 8, b"")
    assert (second.span_id, second.parent_span_id) == (b"\x02" * 8, b"\x01" * 8)
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (10**18, 10**18 + 70000)
    assert (second.start_time_unix_nano, second.end_time_unix_nano) == (10**18 + 258, 10**18 + 257)
    assert (first.name, second.name, second.trace_id) == ("GET /", "SELECT", b"\xab" * 16)


@given(st.integers(0, 7), st.binary(max_size=40))
def test_no_body_that_arrives_looks_packed(first: int, rest: bytes) -> None:
    body = bytes([first]) + rest
    assert is_packed(body)
    with pytest.raises(DecodeError):
        load_schema().TracesRequest.FromString(body)


def test_packed_bodies_look_so_and_others_do_not() -> None:
    assert is_packed(PACKED)
    assert not is_packed(unpack(PACKED))
    assert not is_packed(b'{"resourceSpans": []}')
    assert not is_packed(b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff",
        write_protobuf([Group()]),
        write_spans(20, span_id=b"\x01" * 7),
        write_spans(20, span_id=b""),
        write_spans(20, trace_id=b"\x01" * 17),
        write_spans(FEWEST_SPANS - 1),
    ],
    ids=["empty", "broken", "no spans", "short ids", "no ids", "long ids", "few"],
)
def test_what_gains_nothing_or_has_no_such_form_is_not_packed(body: bytes) -> None:
    assert pack(body) is None


def test_as_many_spans_as_there_are_places() -> None:
    assert pack(write_spans(FEWEST_SPANS)) is not None
    schema = load_schema()
    scope = schema.TracesRequest().resource_spans.add().scope_spans.add()
    for number in range(0xFFFF):
        span_id = number.to_bytes(8, "little")
        scope.spans.add(
            trace_id=span_id * 2, span_id=span_id, parent_span_id=b"\xfe\xff" + bytes(6)
        )
    request = schema.TracesRequest()
    request.resource_spans.add().scope_spans.append(scope)
    body = request.SerializeToString()
    assert unpack(must_pack(body)) == body
    request.resource_spans[0].scope_spans[0].spans.add(trace_id=bytes(16), span_id=bytes(8))
    assert pack(request.SerializeToString()) is None


def test_packed_bodies_are_compressed_to_less() -> None:
    random = Random(1)  # noqa: S311
    items = []
    for _ in range(100):
        trace_id, root = random.randbytes(16), random.randbytes(8)
        start = NOW_NS + random.randrange(10**10)
        items += [
            Span(
                trace_id=trace_id,
                span_id=random.randbytes(8) if place else root,
                parent_id=root if place else b"",
                start=start + place * MS + random.randrange(MS),
                end=start + place * MS + random.randrange(MS, 20 * MS),
            )
            for place in range(5)
        ]
    body = write_protobuf([Group(items)])
    assert len(compress_well(must_pack(body))) < 0.9 * len(compress_well(body))
