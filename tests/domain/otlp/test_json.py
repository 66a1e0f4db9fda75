"""What is JSON's own: hex ids, integers as texts, names of enums, and what is not quite JSON."""

import json
from typing import Any

import msgspec
import pytest

from miniapm.domain.spans.compression import decompress
from miniapm.domain.spans.values import Entry
from miniapm.exceptions import Invalid
from tests.domain.otlp.reading import read_body
from tests.otlp import CLIENT, NOW, NOW_NS, Event, Group, Span, to_json


def write_span(span: Span | None = None, **fields: Any) -> dict[str, Any]:
    """A request with one span, `fields` of which were replaced."""
    request = to_json([Group([span or Span()])])
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(fields)
    return request


def read_request(request: Any) -> Entry:
    [batch] = read_body("json", json.dumps(request).encode()).batches
    [entry] = batch.entries
    return entry


@pytest.mark.parametrize("text", ["0A" * 16, "0a" * 16, "0a0A" * 8])
def test_ids_are_hex_in_any_case(text: str) -> None:
    assert read_request(write_span(traceId=text)).trace_id == b"\x0a" * 16


@pytest.mark.parametrize(
    "text",
    ["", None, "0" * 32, "0a" * 15, "zz" * 16, "0a " * 16, " " * 32, "CgoKCgoKCgoKCgoKCgoKCg=="],
)
def test_other_ids_are_refused(text: str | None) -> None:
    telemetry = read_body("json", json.dumps(write_span(traceId=text)).encode())
    assert (telemetry.batches, telemetry.rejected) == ([], 1)


@pytest.mark.parametrize("start", [NOW_NS, str(NOW_NS)])
def test_times_are_numbers_or_texts(start: int | str) -> None:
    entry = read_request(write_span(startTimeUnixNano=start))
    assert (entry.started_at, entry.duration_us) == (NOW, 20_000)


@pytest.mark.parametrize("start", [-1, 0, "0", None, 2**64, str(2**70), 10**300])
def test_times_that_cannot_be_are_refused(start: Any) -> None:
    telemetry = read_body("json", json.dumps(write_span(startTimeUnixNano=start)).encode())
    assert (telemetry.batches, telemetry.rejected) == ([], 1)


@pytest.mark.parametrize("end", [-1, 2**64, 10**300, None])
def test_odd_ends_do_no_harm(end: int | None) -> None:
    assert 0 <= read_request(write_span(endTimeUnixNano=end)).duration_us < 2**60


@pytest.mark.parametrize("status", [200, "200", 200.0])
def test_integers_in_attributes(status: Any) -> None:
    attributes = [{"key": "http.status_code", "value": {"intValue": status}}]
    assert read_request(write_span(attributes=attributes)).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": "x"}, {"intValue": []}, {"intValue": 10**400}, {"boolValue": "x"}, {},
        {"doubleValue": {}}, {"stringValue": 5}, None, 5, [], "x", {"arrayValue": 5},
        {"kvlistValue": {"values": [5]}}, {"bytesValue": "é"}, {"arrayValue": {"values": "x"}},
        {"unheardOf": 1}, {"intValue": None}, {"doubleValue": "NaN"}, {"doubleValue": "Infinity"},
    ],
)  # fmt: skip
def test_values_that_make_no_sense_cost_nothing(value: Any) -> None:
    attributes = [
        {"key": "http.status_code", "value": value},
        {"key": "http.request.method", "value": {"stringValue": "GET"}},
        {"key": "url.path", "value": {"stringValue": "/a"}},
    ]
    event = {"name": "exception", "attributes": [*attributes, {"key": None}]}
    entry = read_request(write_span(attributes=attributes, events=[event]))
    assert (entry.endpoint, entry.status_code) == ("GET /a", None)


@pytest.mark.parametrize(
    ("name", "is_entry"),
    [("SPAN_KIND_SERVER", True), ("SPAN_KIND_CONSUMER", True), ("SPAN_KIND_INTERNAL", False)],
)
def test_kinds_by_name(name: str, is_entry: bool) -> None:
    request = write_span(kind=name, parentSpanId="0b" * 8)
    [batch] = read_body("json", json.dumps(request).encode()).batches
    assert len(batch.entries) == is_entry


def test_clients_by_name() -> None:
    request = to_json([Group([Span(), Span(kind=CLIENT, parent_id=b"\x01" * 8)], scope="sqlite3")])
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["kind"] = "SPAN_KIND_CLIENT"
    assert read_request(request).database_count == 1


@pytest.mark.parametrize("code", [2, "STATUS_CODE_ERROR"])
def test_status(code: int | str) -> None:
    assert read_request(write_span(status={"code": code, "message": "no"})).failed


def test_null_is_absent() -> None:
    names = ("parentSpanId", "name", "attributes", "events", "status", "kind", "flags")
    assert read_request(write_span(**dict.fromkeys(names))).endpoint == "unnamed"
    for request in ({}, {"resourceSpans": None}, {"resourceSpans": [{"scopeSpans": None}]}):
        assert read_body("json", json.dumps(request).encode()).batches == []


def test_what_is_unknown_is_ignored() -> None:
    request = write_span(links=[{"x": [{}]}], flags=257, traceState="a=b", newField={"x": [1]})
    request["resourceSpans"][0]["schemaUrl"] = "https://example.com"
    request["more"] = [1.5, "x"]
    assert read_request(request).endpoint == "GET /"


def test_of_two_keys_the_last_counts() -> None:
    body = json.dumps(write_span()).encode()
    body = body.replace(b'"kind": 2', b'"kind": 3, "kind": 2, "kind": 2')
    assert read_body("json", body).batches[0].span_count == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [("traceId", 5), ("kind", []), ("startTimeUnixNano", "soon"), ("endTimeUnixNano", 1.5)],
)
def test_a_wrong_type_is_named(path: str, value: Any) -> None:
    with pytest.raises(Invalid, match=path):
        read_body("json", json.dumps(write_span(**{path: value})).encode())


@pytest.mark.parametrize("field", ["attributes", "events", "status"])
def test_a_wrong_shape_is_refused(field: str) -> None:
    event = [Event(attributes={"exception.type": "X"})]
    with pytest.raises(Invalid, match="not a valid OTLP JSON"):
        read_body(
            "json", json.dumps(write_span(Span(events=event), **{field: "exception"})).encode()
        )


def test_endless_nesting_is_refused() -> None:
    for name in (b"attributes", b"unknown"):
        deep = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"%s":%s%s}]}]}]}' % (
            name,
            b"[" * 100_000,
            b"]" * 100_000,
        )
        with pytest.raises(Invalid):
            read_body("json", deep)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"caf\xff", "caf\ufffd"),
        (rb"caf\ud800", "caf\ufffd"),
        (rb"caf\udc00 \ud83d\ude00", "caf\ufffd \U0001f600"),
        (rb"back\\ud800", "back\\ud800"),
        ("café".encode(), "café"),
    ],
)
def test_one_bad_character_does_not_cost_a_batch(written: bytes, read: str) -> None:
    body = json.dumps(write_span(Span(name="NAME"))).encode().replace(b"NAME", written)
    [batch] = read_body("json", body).batches
    assert batch.entries[0].endpoint == read
    msgspec.json.decode(decompress(batch.body))


def test_a_byte_order_mark() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(write_span(Span(name="é"))).encode()
    assert read_body("json", body).batches[0].entries[0].endpoint == "é"
