"""What becomes of spans, whichever way they are written."""

from typing import Any

import msgspec
import pytest

from miniapm.clock import DAY, MINUTE
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans.batches import LONGEST, has_tail
from miniapm.domain.spans.compression import decompress
from miniapm.domain.spans.values import ReleaseName, SpanBatch
from miniapm.exceptions import Invalid
from tests.domain.otlp.reading import ENCODINGS, read, read_body, read_spans, write
from tests.otlp import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    MS,
    NOW,
    NOW_NS,
    PRODUCER,
    SERVER,
    Event,
    Group,
    Span,
)

pytestmark = pytest.mark.parametrize("encoding", ENCODINGS)

TRACE = b"\x0a" * 16
OTHER_TRACE = b"\x0c" * 16
PARENT = b"\x0d" * 8
SQL = "opentelemetry.instrumentation.sqlalchemy"


def count_stored(encoding: str, batch: SpanBatch) -> int:
    """How many spans the stored body holds, read by other code than ours."""
    body = decompress(batch.body)
    if encoding == "json":
        request = msgspec.json.decode(body)
        return sum(
            len(scope["spans"])
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
        )
    request = load_schema().TracesRequest.FromString(body)
    return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)


def test_a_server_span_is_an_entry(encoding: str) -> None:
    span = Span(
        attributes={
            "http.request.method": "GET",
            "http.route": "/users/{id}",
            "url.path": "/users/17",
            "http.response.status_code": 200,
        }
    )
    [entry] = read_spans(encoding, span)
    assert entry.endpoint == "GET /users/{id}"
    assert (entry.started_at, entry.duration_us) == (NOW, 20_000)
    assert (entry.failed, entry.status_code) == (False, 200)
    assert entry.trace_id == TRACE
    assert entry.release == ReleaseName("shop", "production", "", "")


@pytest.mark.parametrize(
    ("kind", "parent", "is_entry"),
    [
        (SERVER, PARENT, True),
        (CONSUMER, PARENT, True),
        (INTERNAL, b"", True),
        (0, b"", True),
        (CLIENT, b"", False),
        (PRODUCER, b"", False),
        (INTERNAL, PARENT, False),
        (CLIENT, PARENT, False),
        (PRODUCER, PARENT, False),
        (0, PARENT, False),
    ],
)
def test_which_spans_are_entries(encoding: str, kind: int, parent: bytes, is_entry: bool) -> None:
    """What goes out is none, even at the root: a worker that polls Redis serves nobody."""
    assert len(read_spans(encoding, Span(kind=kind, parent_id=parent))) == is_entry


def test_calls_of_one_route_that_end_differently(encoding: str) -> None:
    """What is remembered of a route is no other call's."""
    route = {"http.request.method": "GET", "http.route": "/users/{id}"}
    spans = [
        Span(
            trace_id=bytes([number]) * 16,
            attributes=route | {"url.path": f"/users/{number}", "http.response.status_code": code},
        )
        for number, code in enumerate([200, 503, 200, 404], 1)
    ]
    other = Span(attributes={"http.request.method": "PUT", "http.route": "/users/{id}"})
    entries = read_spans(encoding, *spans, other)
    found = sorted((e.endpoint, e.status_code or 0, e.failed) for e in entries)
    assert found == [
        ("GET /users/{id}", 200, False),
        ("GET /users/{id}", 200, False),
        ("GET /users/{id}", 404, False),
        ("GET /users/{id}", 503, True),
        ("PUT /users/{id}", 0, False),
    ]


def test_scopes_and_resources_keep_their_own_spans(encoding: str) -> None:
    """Empty ones between them shift nothing."""
    child = {"kind": CLIENT, "parent_id": PARENT, "end": NOW_NS + 3 * MS}
    query = Span(**child)  # type: ignore[arg-type]
    other = Span(trace_id=OTHER_TRACE, **child)  # type: ignore[arg-type]
    telemetry = read(
        encoding,
        Group([], {"service.name": "nobody"}),
        Group([Span(), query], {"service.name": "cart"}, scope=SQL),
        Group([], {"service.name": "cart"}, scope=SQL),
        Group(
            [other, Span(trace_id=OTHER_TRACE)],
            {"service.name": "till"},
            scope="opentelemetry.instrumentation.requests",
        ),
    )
    [batch] = telemetry.batches
    assert batch.span_count == 4
    assert sorted((e.release.service, e.database_us, e.http_us) for e in batch.entries) == [
        ("cart", 3000, 0),
        ("till", 0, 3000),
    ]


def test_old_names_of_attributes(encoding: str) -> None:
    span = Span(
        name="whatever",
        attributes={"http.method": "POST", "http.target": "/carts/9?x=1", "http.status_code": 502},
    )
    [entry] = read_spans(encoding, span)
    assert (entry.endpoint, entry.failed, entry.status_code) == ("POST /carts/{id}", True, 502)


@pytest.mark.parametrize(
    ("status", "code", "failed"),
    [(2, 200, True), (0, 500, True), (1, 404, False), (0, None, False)],
)
def test_what_failed(encoding: str, status: int, code: int | None, failed: bool) -> None:
    attributes = {} if code is None else {"http.response.status_code": code}
    [entry] = read_spans(encoding, Span(status=status, attributes=attributes))
    assert entry.failed is failed
    assert entry.status_code == code


def test_the_resource_names_the_release(encoding: str) -> None:
    resource = {
        "service.name": "cart",
        "service.version": "1.2.3",
        "deployment.environment.name": "staging",
        "vcs.ref.head.revision": "abc1234",
    }
    [batch] = read(encoding, Group([Span()], resource)).batches
    assert batch.entries[0].release == ReleaseName("cart", "staging", "1.2.3", "abc1234")
    [batch] = read(encoding, Group([Span()], {"deployment.environment": "qa"})).batches
    assert batch.entries[0].release == ReleaseName("default-service", "qa", "", "")
    [batch] = read(encoding, Group([Span()], {"service.name": "unknown_service:node"})).batches
    assert batch.entries[0].release.service == "default-service"


def test_the_time_of_children(encoding: str) -> None:
    child = {"kind": CLIENT, "parent_id": PARENT}
    root = Span(end=NOW_NS + 100 * MS)
    query = Span(end=NOW_NS + 7 * MS, **child)  # type: ignore[arg-type]
    stray = Span(trace_id=OTHER_TRACE, end=NOW_NS + 50 * MS, **child)  # type: ignore[arg-type]
    telemetry = read(
        encoding,
        Group([root, query, query, stray], scope=SQL),
    )
    [entry] = telemetry.batches[0].entries
    assert (entry.database_us, entry.database_count) == (14_000, 2)
    assert (entry.http_us, entry.http_count) == (0, 0)


def test_the_longest_of_several_entries_has_the_children(encoding: str) -> None:
    short, long = Span(end=NOW_NS + 5 * MS), Span(end=NOW_NS + 9 * MS)
    query = Span(kind=CLIENT, parent_id=PARENT, end=NOW_NS + 2 * MS)
    entries = read_spans(encoding, short, long, query, scope=SQL)
    assert [(e.duration_us, e.database_us) for e in entries] == [(9000, 2000), (5000, 0)]


@pytest.mark.parametrize(
    ("attributes", "database", "http"),
    [
        ({"db.system.name": "postgresql"}, 1, 0),
        ({"http.request.method": "GET"}, 0, 1),
        ({"url.full": "http://x/"}, 0, 1),
        ({"rpc.system": "grpc"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_a_scope_that_says_nothing(
    encoding: str, attributes: dict[str, str], database: int, http: int
) -> None:
    call = Span(kind=CLIENT, parent_id=PARENT, attributes=attributes)
    [entry] = read_spans(encoding, Span(), call, scope="com.example.mine")
    assert (entry.database_count, entry.http_count) == (database, http)


def test_spans_that_end_before_they_begin_last_nothing(encoding: str) -> None:
    call = Span(kind=CLIENT, parent_id=PARENT, end=NOW_NS - MS)
    [entry] = read_spans(encoding, Span(end=0), call, scope=SQL)
    assert (entry.duration_us, entry.database_us, entry.database_count) == (0, 0, 1)


def test_absurd_durations_are_cut(encoding: str) -> None:
    call = Span(kind=CLIENT, parent_id=PARENT, end=2**64 - 1)
    [entry] = read_spans(encoding, Span(end=2**64 - 1), *[call] * 600, scope=SQL)
    assert entry.duration_us == entry.database_us == LONGEST


def test_what_a_batch_says_of_itself(encoding: str) -> None:
    first = Span(start=NOW_NS - 5 * MS, end=NOW_NS)
    last = Span(trace_id=OTHER_TRACE, kind=INTERNAL, parent_id=PARENT)
    [batch] = read(encoding, Group([last, first])).batches
    assert batch.format == encoding
    assert batch.span_count == count_stored(encoding, batch) == 2
    assert (batch.started_at, batch.ended_at) == (NOW - 5000, NOW)
    assert has_tail(batch.tails, TRACE)
    assert has_tail(batch.tails, OTHER_TRACE)
    assert not has_tail(batch.tails, PARENT * 2)
    assert len(batch.tails) == 8
    assert decompress(batch.body) == write(encoding, [Group([last, first])])


def test_equal_bodies_have_equal_digests(encoding: str) -> None:
    one, again = (read(encoding, Group([Span()])).batches[0].digest for _ in range(2))
    other = read(encoding, Group([Span(start=NOW_NS + 1)])).batches[0].digest
    assert one == again != other


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (Span(trace_id=b""), "its trace id is not 16 bytes, or all zero"),
        (Span(trace_id=bytes(16)), "its trace id is not 16 bytes, or all zero"),
        (Span(trace_id=b"\x01" * 15), "its trace id is not 16 bytes, or all zero"),
        (Span(trace_id=b"\x01" * 17), "its trace id is not 16 bytes, or all zero"),
        (Span(start=NOW_NS - 14 * DAY * 1000 - 1), "it began more than 14 days ago"),
        (Span(start=1), "it began more than 14 days ago"),
        (Span(start=0), "it has no start time"),
        (
            Span(start=NOW_NS // 10**3),
            "its start time looks like microseconds: OTLP has nanoseconds",
        ),
        (
            Span(start=NOW_NS // 10**6),
            "its start time looks like milliseconds: OTLP has nanoseconds",
        ),
        (Span(start=NOW_NS // 10**9), "its start time looks like seconds: OTLP has nanoseconds"),
        (
            Span(start=NOW_NS + 10 * MINUTE * 1000 + 1),
            "it begins more than 10 minutes from now: check the clock",
        ),
    ],
)
def test_spans_that_cannot_be_kept_are_taken_out(encoding: str, span: Span, reason: str) -> None:
    good = Span(trace_id=OTHER_TRACE)
    telemetry = read(encoding, Group([good, span]), Group([span]))
    assert telemetry.rejected == 2
    assert telemetry.reason == f"2 spans refused: {reason}"
    [batch] = telemetry.batches
    assert [entry.trace_id for entry in batch.entries] == [OTHER_TRACE]
    assert batch.span_count == count_stored(encoding, batch) == 1
    alone = read(encoding, Group([span]))
    assert (alone.batches, alone.rejected) == ([], 1)
    assert alone.reason == f"1 span refused: {reason}"


def test_the_edges_of_the_window_are_inside(encoding: str) -> None:
    oldest = Span(start=NOW_NS - 14 * DAY * 1000)
    newest = Span(start=NOW_NS + 10 * MINUTE * 1000)
    assert read(encoding, Group([oldest, newest])).rejected == 0


def test_nothing_is_fine(encoding: str) -> None:
    assert read_body(encoding, b"").batches == []
    assert read(encoding).batches == []
    assert read(encoding, Group()).batches == []


@pytest.mark.parametrize("body", [b"\x00", b"{", b"[]", b"rubbish", b"\xff" * 20, b"\x0a\xff"])
def test_rubbish_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(Invalid, match=f"not a valid OTLP {encoding.replace('json', 'JSON')}"):
        read_body(encoding, body)


def fail(at: int = NOW_NS, **attributes: Any) -> Event:
    told = {"exception.type": "KeyError", "exception.message": "'sku'", **attributes}
    return Event("exception", at, told)


def test_an_exception_becomes_an_error(encoding: str) -> None:
    stacktrace = {"exception.stacktrace": 'File "/srv/app/cart.py", line 3, in total\n'}
    event = fail(NOW_NS, **stacktrace)
    span = Span(events=[Event("log"), event], attributes={"enduser.id": "7", "password": "x"})
    [batch] = read(encoding, Group([span], {"service.name": "cart"})).batches
    [error] = batch.occurrences
    assert (error.exception_class, error.message) == ("KeyError", "'sku'")
    assert (error.service, error.env, error.user_id) == ("cart", "production", "7")
    assert (error.trace_id, error.span_id) == (TRACE.hex(), (b"\x0b" * 8).hex())
    assert error.happened_at == NOW
    assert error.backtrace == ('File "/srv/app/cart.py", line 3, in total',)
    assert error.context == {"enduser.id": "7", "password": "[masked]"}


def test_one_exception_in_several_spans_is_one_error(encoding: str) -> None:
    inner = Span(span_id=b"\x01" * 8, parent_id=PARENT, kind=INTERNAL, events=[fail(NOW_NS)])
    outer = Span(span_id=b"\x02" * 8, events=[fail(NOW_NS + MS)])
    elsewhere = Span(trace_id=OTHER_TRACE, events=[fail()])
    [batch] = read(encoding, Group([outer, inner, elsewhere])).batches
    assert sorted(error.span_id for error in batch.occurrences) == ["01" * 8, "0b" * 8]


@pytest.mark.parametrize("at", [0, 1, 2**64 - 1])
def test_an_exception_without_a_true_time_has_its_spans(encoding: str, at: int) -> None:
    [batch] = read(encoding, Group([Span(events=[fail(at)])])).batches
    assert batch.occurrences[0].happened_at == NOW


def test_exceptions_of_refused_spans_are_not_kept(encoding: str) -> None:
    bad = Span(start=1, events=[fail()])
    [batch] = read(encoding, Group([Span(), bad])).batches
    assert batch.occurrences == []


def test_many_attributes(encoding: str) -> None:
    many = {f"a{number}": number for number in range(10_000)}
    last = {**many, "http.request.method": "GET", "http.route": "/last"}
    [batch] = read(encoding, Group([Span(attributes=last, events=[fail()])])).batches
    assert batch.entries[0].endpoint == "GET /last"
    assert len(batch.occurrences[0].context) <= 130


def test_deep_and_long_attributes_of_an_exception(encoding: str) -> None:
    deep: object = "bottom"
    for _ in range(15):
        deep = [deep, {"a": deep}] if isinstance(deep, str) else [deep]
    event = fail(deep=deep, long="x" * 100_000, empty=None, odd=float("nan"), raw=b"\x01\x02")
    [batch] = read(encoding, Group([Span(events=[event])])).batches
    context = batch.occurrences[0].context
    assert "bottom" not in str(context["deep"])
    assert len(context["long"]) < 10_000
    assert (context["empty"], context["raw"]) == (None, "0102")


def test_long_names_are_cut(encoding: str) -> None:
    long = Span(attributes={"http.request.method": "GET", "http.route": "/" + "é" * 100_000})
    named = Span(name="n" * 100_000)
    for entry in read_spans(encoding, long, named):
        assert len(entry.endpoint) == 200
        assert entry.endpoint.endswith("…")
    resource = {"service.name": "s" * 100_000, "service.version": "v" * 100_000}
    [batch] = read(encoding, Group([Span()], resource)).batches
    release = batch.entries[0].release
    assert (len(release.service), len(release.version)) == (100, 200)


def test_unprintable_names_are_cleaned(encoding: str) -> None:
    [entry] = read_spans(encoding, Span(name="a\x00b\nc\u202ed"))
    assert entry.endpoint == "a b c d"
