"""Whatever is sent, readers give what they promise or Invalid; and both encodings mean the same."""

import dataclasses
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniapm.clock import DAY
from miniapm.domain.otlp.json_logs import read_json_logs
from miniapm.domain.otlp.logs import read_logs
from miniapm.domain.otlp.metrics import count_json_points, count_points
from miniapm.domain.otlp.stored import StoredBody, find_trace_ids, read_details, read_spans
from miniapm.domain.scrubbing import make_scrubber
from miniapm.domain.spans.batches import TAIL_BYTES
from miniapm.domain.spans.values import Telemetry
from miniapm.exceptions import Invalid
from tests.domain.otlp.mutating import mutations
from tests.domain.otlp.reading import DEFAULTS, ENCODINGS, read, read_body, write
from tests.otlp import NOW, NOW_NS, Event, Group, Log, Span, write_logs_json, write_logs_protobuf

MANY = settings(max_examples=300)

texts = st.text(max_size=30)
names = st.sampled_from(
    [
        "http.request.method", "http.method", "http.route", "url.path", "http.target", "url.full",
        "http.url", "http.response.status_code", "http.status_code", "db.system.name", "rpc.system",
        "service.name", "service.version", "deployment.environment", "deployment.environment.name",
        "vcs.ref.head.revision", "exception.type", "exception.message", "exception.stacktrace", "x",
    ]
)  # fmt: skip
plain_values = (
    st.sampled_from(["GET", "POST", "/a", "/a/17", "http://x/a?b#c", "200", "503"])
    | texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(100, 599)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.binary(max_size=10)
    | st.none()
)
values = st.recursive(
    plain_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
attributes = st.dictionaries(names | texts, values, max_size=8)
trace_ids = st.sampled_from([b"\x01" * 16, b"\x02" * 16, bytes(16), b"", b"\x03" * 8])
times = st.integers(NOW_NS - 20 * DAY * 1000, NOW_NS + DAY) | st.integers(0, 2**64 - 1)
events = st.builds(
    Event, name=st.sampled_from(["exception", "log", ""]), at=times, attributes=attributes
)
spans = st.builds(
    Span,
    trace_id=trace_ids,
    span_id=st.sampled_from([b"", b"\x05" * 8]),
    parent_id=st.sampled_from([b"", b"\x06" * 8]),
    name=texts,
    kind=st.integers(0, 5),
    start=times,
    end=times,
    attributes=attributes,
    events=st.lists(events, max_size=2),
    status=st.integers(0, 2),
)
groups = st.lists(
    st.builds(
        Group,
        items=st.lists(spans, max_size=4),
        resource=attributes,
        scope=st.sampled_from(["", "sqlite3", "opentelemetry.instrumentation.requests", "mine"]),
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(groups)
def test_both_encodings_mean_the_same(sent: list[Group]) -> None:
    protobuf, other = (read(encoding, *sent) for encoding in ENCODINGS)
    assert (protobuf.rejected, protobuf.reason) == (other.rejected, other.reason)
    assert len(protobuf.batches) == len(other.batches)
    for one, two in zip(protobuf.batches, other.batches, strict=True):
        assert one.entries == two.entries
        assert one.tails == two.tails
        assert (one.span_count, one.started_at, one.ended_at) == (
            two.span_count,
            two.started_at,
            two.ended_at,
        )
        assert one.occurrences == two.occurrences


def make_body(encoding: str) -> bytes:
    """A body with everything in it."""
    failure = Event(
        attributes={"exception.type": "E", "exception.message": "m", "n": [1, {"a": 2.5}]}
    )
    span = Span(attributes={"http.request.method": "GET", "url.path": "/a/1", "b": b"x"})
    child = Span(parent_id=b"\x01" * 8, kind=3, attributes={"db.system": "x"}, events=[failure])
    return write(encoding, [Group([span, child]), Group([dataclasses.replace(span, status=2)])])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_mutated_bodies(encoding: str) -> None:
    @MANY
    @given(mutations(make_body(encoding)))
    def check(body: bytes) -> None:
        try:
            telemetry = read_body(encoding, body)
        except Invalid:
            return
        assert isinstance(telemetry, Telemetry)
        for batch in telemetry.batches:
            assert batch.span_count > 0
            for entry in batch.entries:
                assert 0 <= entry.duration_us < 2**62
                entry.endpoint.encode()
                "".join(entry.release).encode()

    check()


@MANY
@given(st.data())
def test_mutated_logs_and_metrics(data: st.DataObject) -> None:
    group = [Group([Log({"exception.type": "E", "exception.message": "m"}, body="b")])]
    for encoding in ENCODINGS:
        is_json = encoding == "json"
        whole = write_logs_json(group) if is_json else write_logs_protobuf(group)
        body = data.draw(mutations(whole))
        with suppress(Invalid):
            (read_json_logs if is_json else read_logs)(body, DEFAULTS, NOW, make_scrubber())
        # the shapes are alike
        body = body.replace(b"Logs", b"Metrics").replace(b"logRecords", b"metrics")
        with suppress(Invalid):
            (count_json_points if is_json else count_points)(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@MANY
@given(st.sampled_from(ENCODINGS), st.data())
def test_all_that_is_accepted_of_mutated_bodies_is_read_again(
    encoding: str, data: st.DataObject
) -> None:
    with suppress(Invalid):
        check_stored(read_body(encoding, data.draw(mutations(make_body(encoding)))))


@settings(max_examples=60)
@given(st.sampled_from(ENCODINGS), groups)
def test_all_that_is_accepted_is_read_again(encoding: str, sent: list[Group]) -> None:
    check_stored(read(encoding, *sent))


def check_stored(telemetry: Telemetry) -> None:
    """Every span that was counted is found in what is stored, with what it holds."""
    for batch in telemetry.batches:
        stored = StoredBody(batch.format, DEFAULTS, batch.body)
        size = TAIL_BYTES
        tails = {batch.tails[n : n + size] for n in range(0, len(batch.tails), size)}
        found = {trace for tail in tails for trace in find_trace_ids(stored, tail.hex(), 1000)}
        count = 0
        for trace in found:
            for span in read_spans(stored, bytes.fromhex(trace), 1000):
                count += 1
                assert read_details(span, make_scrubber()).attributes is not None
        assert count == batch.span_count
        assert found >= {entry.trace_id.hex() for entry in batch.entries if entry.trace_id}


@MANY
@given(st.data())
def test_json_with_any_value_in_any_place(data: st.DataObject) -> None:
    request = json.loads(make_body("json"))
    for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["links"] = [{"traceId": "07" * 16, "spanId": "08" * 8}]
        span["status"] = {"code": 2, "message": "told"}
    place: Any = request
    while isinstance(place, dict | list) and place:
        key = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
            place[key] = data.draw(json_values)
            break
        place = place[key]
    try:
        check_stored(read_body("json", json.dumps(request).encode()))
    except Invalid as error:
        error.message.encode()


parts = st.fixed_dictionaries(
    {},
    optional={
        name: json_values
        | st.lists(st.dictionaries(st.sampled_from(keys), json_values, max_size=3), max_size=3)
        | st.dictionaries(st.sampled_from(keys), json_values, max_size=3)
        for name, keys in {
            "events": ["name", "timeUnixNano", "attributes"],
            "links": ["traceId", "spanId", "attributes"],
            "status": ["code", "message"],
            "attributes": ["key", "value"],
            "kind": ["x"],
            "flags": ["x"],
        }.items()
    },
)


@MANY
@given(parts)
def test_a_span_in_json_is_read_again_whatever_its_parts_are(part: dict[str, Any]) -> None:
    request = json.loads(make_body("json"))
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][1] |= part
    with suppress(Invalid):
        check_stored(read_body("json", json.dumps(request).encode()))
