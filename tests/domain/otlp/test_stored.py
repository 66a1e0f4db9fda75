"""Stored bodies back to spans, in both encodings, and packed."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from miniapm.domain.otlp.json_traces import read_json_traces
from miniapm.domain.otlp.packing import pack
from miniapm.domain.otlp.stored import (
    StoredBody,
    find_trace_ids,
    may_hold_exception,
    read_details,
    read_spans,
    take_out,
)
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import MASK, Scrubber
from miniapm.domain.spans.batches import has_tail
from miniapm.domain.spans.compression import compress_plain, decompress
from miniapm.domain.spans.span import Span as WholeSpan
from miniapm.domain.spans.values import Format, ReleaseName, TelemetryDefaults
from tests.otlp import (
    CLIENT,
    INTERNAL,
    MS,
    NOW,
    NOW_NS,
    Event,
    Group,
    Span,
    to_json,
    write_json,
    write_protobuf,
)

DEFAULTS = TelemetryDefaults("default", "production")
SCRUBBER = Scrubber()
TRACE, OTHER = b"\x0a" * 16, b"\x0c" * 16
Form = Literal["protobuf", "json", "packed"]
FORMS: tuple[Form, ...] = ("protobuf", "json", "packed")


def store(form: Form, groups: Sequence[Group]) -> StoredBody:
    """As ingest stores it, or as it is packed afterwards."""
    if form == "json":
        telemetry = read_json_traces(write_json(groups), DEFAULTS, NOW, SCRUBBER)
    else:
        telemetry = read_traces(write_protobuf(groups), DEFAULTS, NOW, SCRUBBER)
    assert telemetry.rejected == 0, telemetry.reason
    [batch] = telemetry.batches
    body = batch.body
    if form == "packed":
        packed = pack(decompress(body), fewest_spans=1)
        assert packed is not None
        body = compress_plain(packed)
    return StoredBody(batch.format, DEFAULTS, body)


def read(form: Form, *items: Span, **group: Any) -> list[WholeSpan]:
    return read_spans(store(form, [Group(items, **group)]), TRACE, 1000)


@pytest.mark.parametrize("form", FORMS)
def test_the_spans_of_a_trace_come_back(form: Form) -> None:
    statement = {"db.system": "postgresql", "db.statement": "select 1"}
    stored = store(
        form,
        [
            Group(
                [
                    Span(attributes={"http.method": "GET", "http.status_code": 503}),
                    Span(
                        span_id=b"\x02" * 8, parent_id=b"\x0b" * 8, kind=CLIENT, name="SELECT",
                        start=NOW_NS + MS, end=NOW_NS + 3 * MS, attributes=statement, status=2,
                    ),
                    Span(trace_id=OTHER, span_id=b"\x03" * 8),
                ],
                {"service.name": "web", "service.version": "v7"},
                "psycopg",
            ),
            Group([Span(span_id=b"\x04" * 8, parent_id=bytes(8), kind=INTERNAL)], {}),
        ],
    )  # fmt: skip
    server, query, lone = read_spans(stored, TRACE, 1000)
    assert (server.span_id, server.parent_id, server.kind) == ("0b" * 8, "", "server")
    assert (server.started_ns, server.ended_ns) == (NOW_NS, NOW_NS + 20 * MS)
    assert (server.status_code, server.failed, server.is_error) == (503, True, False)
    assert server.source.release == ReleaseName("web", "production", "v7", "")
    assert (query.kind, query.parent_id, query.category) == ("client", "0b" * 8, "database")
    assert (query.statement, query.failed, query.source.scope) == ("select 1", True, "psycopg")
    assert lone.parent_id == ""
    assert lone.service == "default"
    assert [span.span_id for span in read_spans(stored, OTHER, 10)] == ["03" * 8]
    assert read_spans(stored, b"\x0d" * 16, 10) == []
    assert len(read_spans(stored, TRACE, 2)) == 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "attributes",
    [
        {"http.method": "GET", "http.url": "http://a/b", "http.status_code": 200},
        {"http.request.method": "GET", "url.full": "http://a/b", "http.response.status_code": 200},
    ],
)
def test_both_conventions_are_understood(form: Form, attributes: dict[str, Any]) -> None:
    [span] = read(form, Span(kind=CLIENT, parent_id=b"\x01" * 8, attributes=attributes))
    assert (span.method, span.address, span.status_code) == ("GET", "http://a/b", 200)
    assert span.category == "http"
    assert read_details(span, SCRUBBER).attributes == attributes


@pytest.mark.parametrize("form", FORMS)
def test_details_come_as_they_were_sent_with_secrets_masked(form: Form) -> None:
    attributes = {
        "a": 1, "b": True, "c": [1, 2], "d": {"password": "x", "n": 1.5}, "e": "t?token=abc",
        "authorization": "Basic abc",
    }  # fmt: skip
    event = Event("retry", NOW_NS + 5 * MS, {"secret": "s", "attempt": 2})
    [span] = read(
        form, Span(attributes=attributes, events=[event]), resource={"k": "v", "api_key": "z"}
    )
    details = read_details(span, SCRUBBER)
    assert details.attributes == {
        **attributes, "d": {"password": MASK, "n": 1.5}, "e": f"t?token={MASK}",
        "authorization": MASK,
    }  # fmt: skip
    assert details.events == [(NOW + 5000, "retry", {"secret": MASK, "attempt": 2})]
    assert details.resource == {"k": "v", "api_key": MASK}
    assert not may_hold_exception(span)


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_has_the_fingerprint_that_it_was_counted_under(form: Form) -> None:
    stack = 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in f\n    g()\n'
    told = {
        "exception.type": "ValueError",
        "exception.message": "bad token=abcdefgh",
        "exception.stacktrace": stack,
    }
    groups = [Group([Span(events=[Event(attributes=told), Event("other")])])]
    stored = store(form, groups)
    writing = write_protobuf if form == "protobuf" else write_json
    reading = read_traces if form == "protobuf" else read_json_traces
    [counted] = reading(writing(groups), DEFAULTS, NOW, SCRUBBER).batches[0].occurrences
    [span] = read_spans(stored, TRACE, 10)
    assert may_hold_exception(span)
    details = read_details(span, SCRUBBER)
    [shown] = details.exceptions
    assert shown.fingerprint == counted.fingerprint
    assert shown.message == f"bad token={MASK}"
    assert shown.backtrace == counted.backtrace
    assert [event.name for event in details.events] == ["other"]


@pytest.mark.parametrize("form", FORMS)
def test_trace_ids_are_found_by_their_end(form: Form) -> None:
    ids = [bytes(11) + bytes([n, 0xAB, 1, 2, 3]) for n in (1, 1, 2, 0x0F)]
    stored = store(form, [Group([Span(trace_id=trace_id) for trace_id in ids])])
    assert find_trace_ids(stored, "ab010203", 10) == [ids[0].hex(), ids[2].hex(), ids[3].hex()]
    assert find_trace_ids(stored, "fab010203", 10) == [ids[3].hex()]
    assert find_trace_ids(stored, "ab010203", 2) == [ids[0].hex(), ids[2].hex()]
    assert find_trace_ids(stored, "ab010204", 10) == []


@pytest.mark.parametrize("written", [TRACE.hex().upper(), "\\u0030A" * 16, "0\\u0061" * 16])
def test_an_id_in_json_is_found_however_it_is_written(written: str) -> None:
    body = write_json([Group([Span()])]).replace(TRACE.hex().encode(), written.encode())
    [batch] = read_json_traces(body, DEFAULTS, NOW, SCRUBBER).batches
    stored = StoredBody("json", DEFAULTS, batch.body)
    assert len(read_spans(stored, TRACE, 10)) == 1
    assert find_trace_ids(stored, TRACE.hex()[-9:], 10) == [TRACE.hex()]
    assert take_out(stored, TRACE) is not None


@pytest.mark.parametrize("form", FORMS)
def test_a_trace_is_taken_out_of_a_body(form: Form) -> None:
    attributes = {"user.name": "ada"}
    groups = [
        Group([Span(attributes=attributes), Span(trace_id=OTHER, name="kept")], scope="s"),
        Group([Span(span_id=b"\x05" * 8, attributes=attributes)], {"service.name": "pay"}),
    ]
    stored = store(form, groups)
    assert b"ada" in decompress(stored.body)
    rewritten = take_out(stored, TRACE)
    assert rewritten is not None
    assert rewritten.body is not None
    assert b"ada" not in decompress(rewritten.body)
    assert rewritten.span_count == 1
    assert has_tail(rewritten.tails, OTHER)
    assert not has_tail(rewritten.tails, TRACE)
    rest = stored._replace(body=rewritten.body)
    assert [span.name for span in read_spans(rest, OTHER, 10)] == ["kept"]
    assert read_spans(rest, OTHER, 10)[0].source.scope == "s"
    assert take_out(rest, TRACE) is None
    assert take_out(rest, OTHER) == (None, b"", 0)


def test_what_a_body_of_protobuf_holds_beyond_what_is_known_stays() -> None:
    request = ExportTraceServiceRequest.FromString(
        write_protobuf([Group([Span(), Span(trace_id=OTHER)])])
    )
    request.resource_spans[0].schema_url = "https://schema"
    span = request.resource_spans[0].scope_spans[0].spans[1]
    span.trace_state = "vendor=1"
    span.links.add(trace_id=TRACE, span_id=b"\x07" * 8)
    span.status.message = "told"
    stored = StoredBody("protobuf", DEFAULTS, compress_plain(request.SerializeToString()))
    rewritten = take_out(stored, TRACE)
    assert rewritten is not None
    assert rewritten.body is not None
    rest = ExportTraceServiceRequest.FromString(decompress(rewritten.body))
    assert rest.resource_spans[0].schema_url == "https://schema"
    assert rest.resource_spans[0].scope_spans[0].spans[0].trace_state == "vendor=1"
    [read] = read_spans(stored._replace(body=rewritten.body), OTHER, 10)
    details = read_details(read, SCRUBBER)
    assert details.links == [(TRACE.hex(), "07" * 8, {})]
    assert details.status_message == "told"


def test_json_as_others_write_it_is_read() -> None:
    body = to_json([Group([Span(kind=CLIENT, parent_id=b"\x01" * 8)])])
    span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span |= {
        "traceId": TRACE.hex().upper(), "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": NOW_NS,
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"}, "unknown": [1],
        "links": [{"traceId": OTHER.hex().upper(), "spanId": "0102030405060708"}],
        "endTimeUnixNano": 10**30,
    }  # fmt: skip
    stored = StoredBody("json", DEFAULTS, compress_plain(json.dumps(body).encode()))
    [read] = read_spans(stored, TRACE, 10)
    assert (read.kind, read.is_error, read.ended_ns) == ("client", True, 2**64 - 1)
    details = read_details(read, SCRUBBER)
    assert details.status_message == "no"
    assert details.links == [(OTHER.hex(), "0102030405060708", {})]


@pytest.mark.parametrize(
    ("part", "events", "links", "message"),
    [
        ({"events": [None]}, 0, 1, "told"),
        ({"events": 0}, 0, 1, "told"),
        ({"events": [{"name": 5}, {"name": "kept"}, 7]}, 1, 1, "told"),
        ({"events": [{"name": "kept", "attributes": 9}]}, 1, 1, "told"),
        ({"links": 0}, 1, 0, "told"),
        ({"links": [None, {"traceId": 4}]}, 1, 0, "told"),
        ({"status": {"code": 2, "message": 5}}, 1, 1, ""),
        ({"status": 7}, 1, 1, ""),
        ({"status": None, "events": None, "links": None}, 0, 0, ""),
    ],
)
def test_what_cannot_be_read_of_a_span_in_json_is_left_out(
    part: dict[str, Any], events: int, links: int, message: str
) -> None:
    body = to_json([Group([Span(kind=CLIENT, attributes={"a": 1})])])
    span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["events"] = [{"name": "one"}]
    span["links"] = [{"traceId": OTHER.hex()}]
    span["status"] = {"code": 2, "message": "told"}
    span |= part
    [batch] = read_json_traces(json.dumps(body).encode(), DEFAULTS, NOW, SCRUBBER).batches
    [read] = read_spans(StoredBody("json", DEFAULTS, batch.body), TRACE, 10)
    assert read.is_error == (span["status"] not in (7, None))
    details = read_details(read, SCRUBBER)
    assert (len(details.events), len(details.links)) == (events, links)
    assert details.status_message == message
    assert details.attributes == {"a": 1}


@pytest.mark.parametrize("format_", ["protobuf", "json", "requests"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff" + TRACE, b'{"resourceSpans": 1}', b"[]"])
def test_what_is_no_request_holds_no_spans(format_: Format, body: bytes) -> None:
    stored = StoredBody(format_, DEFAULTS, compress_plain(body))
    assert read_spans(stored, TRACE, 10) == []
    assert find_trace_ids(stored, "0a0a0a0a", 10) == []


def test_bad_bytes_in_the_parts_of_a_span_are_no_trouble() -> None:
    request = ExportTraceServiceRequest.FromString(write_protobuf([Group([Span(kind=CLIENT)])]))
    body = request.SerializeToString()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    raw = span.SerializeToString()
    # attributes, events, links, status: each with a length that leads beyond its end
    broken = (
        raw + b"\x4a\x02\x0a\x7f" + b"\x5a\x02\x0a\x7f" + b"\x6a\x02\x0a\x7f" + b"\x7a\x02\x12\x7f"
    )
    stored = StoredBody(
        "protobuf", DEFAULTS, compress_plain(_wrap(_wrap(broken, 2), 2, b"\x0a\x02\x0a\x7f"))
    )
    assert body != decompress(stored.body)
    [read] = read_spans(stored, TRACE, 10)
    details = read_details(read, SCRUBBER)
    assert (details.attributes, details.resource, details.status_message) == ({}, {}, "")
    assert len(details.events) == 1


def _wrap(content: bytes, number: int, before: bytes = b"") -> bytes:
    """A field; for the resource spans within their request."""
    field = bytes((number << 3 | 2,)) + len(content).to_bytes(1) + content
    if not before:
        return field
    whole = before + field
    return b"\x0a" + len(whole).to_bytes(1) + whole
