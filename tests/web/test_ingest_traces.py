"""`/v1/traces` in both encodings: the answers, and the rows behind them."""

import gzip
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from miniapm.clock import DAY, MINUTE
from miniapm.domain.spans.compression import decompress
from miniapm.storage.budget import DEFAULT_BYTES, ROOM_FOR_SMALL
from miniapm.web.ingest.calls import Call
from miniapm.web.ingest.digesting import SMALL_BYTES
from tests.conftest import FakeClock, Server, start_server
from tests.domain.otlp.reading import write
from tests.factories import insert_project
from tests.otlp import MS, NOW, NOW_NS, Event, Group, Span
from tests.web.otlp_calls import TYPES, Sender

CART = {"service.name": "cart", "service.version": "1.2", "deployment.environment.name": "qa"}


@pytest.fixture(params=["protobuf", "json"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sender(server: Server, encoding: str) -> Sender:
    return Sender(server, encoding, server.make_key("traces:write"))


@pytest.fixture
def small_server(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    """A server with low limits and caps."""
    limits = {
        "telemetry_body_bytes": 64 * 1024,
        "telemetry_inflated_bytes": 128 * 1024,
        "services": 3,
        "releases_per_service": 4,
        "endpoints_per_service": 5,
    }
    yield from start_server(tmp_path / "miniapm.db", clock, limits=limits)


def write_one(encoding: str, *spans: Span) -> bytes:
    return write(encoding, [Group(spans or [Span()], CART)])


def count(server: Server, table: str) -> int:
    [row] = server.rows(f"select count(*) as n from {table}")
    return int(row["n"])


def test_a_body_is_not_held_until_its_commit(
    sender: Sender, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()

    class Body(bytes):
        def __del__(self) -> None:
            gone.set()

    async def read_body(call: Call, limit: int) -> bytes:
        return Body(await read_raw(call, limit))

    read_raw = Call.read_raw
    monkeypatch.setattr(Call, "read_raw", read_body)
    large = Span(attributes={"http.route": "/carts/{id}", "note": "n" * SMALL_BYTES})
    with ThreadPoolExecutor(1) as pool, closing(sqlite3.connect(server.path)) as other:
        other.execute("begin immediate")
        answer = pool.submit(sender.send, write_one(sender.encoding, large))
        was_gone = gone.wait(5)
        was_answered = answer.done()
        other.rollback()
    assert (was_gone, was_answered) == (True, False)
    assert answer.result().status_code == 200
    assert count(server, "entries") == 1


def test_spans_are_stored_before_the_answer(sender: Sender, server: Server) -> None:
    attributes = {
        "http.request.method": "GET",
        "http.route": "/carts/{id}",
        "http.response.status_code": 503,
    }
    failure = Event(attributes={"exception.type": "Timeout", "exception.message": "too slow"})
    span = Span(attributes=attributes, events=[failure])
    call = Span(kind=3, parent_id=b"\x0b" * 8, end=NOW_NS + 3 * MS, attributes={"db.system": "x"})
    body = write_one(sender.encoding, span, call)
    answer = sender.send(body)
    assert answer.status_code == 200
    assert answer.content == (b"" if sender.encoding == "protobuf" else b"{}")
    [entry] = server.rows(
        """select e.*, p.name as endpoint, r.service, r.env, r.version from entries e
        join endpoints p on p.id = e.endpoint_id and p.project_id = e.project_id
        join releases r on r.id = e.release_id and r.project_id = e.project_id"""
    )
    assert (entry["endpoint"], entry["service"]) == ("GET /carts/{id}", "cart")
    assert (entry["env"], entry["version"]) == ("qa", "1.2")
    assert (entry["started_at"], entry["duration_us"]) == (NOW, 20_000)
    assert (entry["failed"], entry["status_code"], entry["trace_id"]) == (1, 503, b"\x0a" * 16)
    assert (entry["database_us"], entry["database_count"]) == (3000, 1)
    [batch] = server.rows("select * from span_batches")
    assert (batch["format"], batch["span_count"]) == (sender.encoding, 2)
    assert decompress(batch["body"]) == body
    [group] = server.rows("select * from error_groups")
    assert (group["exception_class"], group["count"], group["service"]) == ("Timeout", 1, "cart")


def test_both_addresses_and_gzip(sender: Sender, server: Server) -> None:
    for number, path in enumerate(("/v1/traces", "/ingest/v1/traces")):
        sender.path = path
        body = write_one(sender.encoding, Span(start=NOW_NS + number))
        assert sender.send(body, zipped=number == 0).status_code == 200
    assert count(server, "entries") == 2


def test_the_keys_own_service_and_environment(server: Server, encoding: str) -> None:
    secret = server.make_key("traces:write", service="web", env="staging")
    body = write(encoding, [Group([Span()], {"telemetry.sdk.name": "x"})])
    assert Sender(server, encoding, secret).send(body).status_code == 200
    [release] = server.rows("select * from releases")
    assert (release["service"], release["env"]) == ("web", "staging")


def test_a_retried_body_is_stored_once(sender: Sender, server: Server) -> None:
    failure = Event(attributes={"exception.type": "E"})
    bodies = [write_one(sender.encoding, Span(start=NOW_NS + n, events=[failure])) for n in (0, 1)]
    for _ in range(3):
        assert sender.send(bodies[0]).status_code == 200
        assert sender.send(bodies[1], zipped=True).status_code == 200
    assert count(server, "span_batches") == count(server, "entries") == 2
    assert [group["count"] for group in server.rows("select * from error_groups")] == [1]


def test_a_body_is_remembered_for_a_quarter_of_an_hour(sender: Sender, server: Server) -> None:
    database = server.running.context.database
    body = write_one(sender.encoding)
    for minutes, stored in ((0, 1), (14, 1), (2, 2)):
        server.clock.move(minutes * MINUTE)
        server.run(database.write(database.telemetry.flush))
        assert sender.send(body).status_code == 200
        assert count(server, "span_batches") == stored


def test_what_cannot_be_kept_is_a_partial_success(sender: Sender, server: Server) -> None:
    old = Span(start=NOW_NS - 15 * DAY * 1000)
    early = Span(start=NOW_NS + 11 * MINUTE * 1000)
    answer = sender.send(write_one(sender.encoding, Span(), old, old, early, Span(trace_id=b"")))
    rejected, reason = sender.read_partial(answer)
    assert rejected == 4
    assert "2 spans refused: it began more than 14 days ago" in reason
    assert "1 span refused: it begins more than 10 minutes from now" in reason
    assert "1 span refused: its trace id is not 16 bytes" in reason
    assert [row["span_count"] for row in server.rows("select * from span_batches")] == [1]
    # few look at what their exporter logs
    [refusal] = server.rows("select * from refusals")
    assert refusal["route"] == "/v1/traces"
    assert "began more than 14 days ago" in refusal["message"]


@pytest.mark.parametrize(
    ("body", "others"),
    [
        (b'{"resource_spans": []}', "resource_spans"),
        (b'{"spans": [], "resource": {}}', "spans, resource"),
        (b'{"resource\\ud800": 1}', "resource\N{REPLACEMENT CHARACTER}"),
        (b'{"spans": "' + b"x" * 2**20 + b'"}', "spans"),
    ],
    ids=["snake", "flat", "surrogate", "large"],
)
def test_json_without_the_list_of_traces_is_a_warning(
    server: Server, body: bytes, others: str
) -> None:
    sender = Sender(server, "json", server.make_key("traces:write"))
    message = f"Nothing was stored: the body has no resourceSpans (it has {others})."
    answer = sender.send(body)
    assert answer.json() == {"partialSuccess": {"errorMessage": message}}
    assert answer.status_code == 200
    [refusal] = server.rows("select * from refusals")
    assert (refusal["route"], refusal["message"]) == ("/v1/traces", message)
    assert count(server, "span_batches") == 0


@pytest.mark.parametrize(
    "body", [b"{}", b'{"resourceSpans": null}', b'{"resourceSpans": [], "a": 1}']
)
def test_json_with_an_empty_list_of_traces_is_fine(server: Server, body: bytes) -> None:
    sender = Sender(server, "json", server.make_key("traces:write"))
    assert (sender.send(body).status_code, sender.send(body).json()) == (200, {})
    assert server.rows("select * from refusals") == []


def test_late_telemetry_is_taken(sender: Sender, server: Server) -> None:
    late = Span(start=NOW_NS - 13 * DAY * 1000, end=NOW_NS - 13 * DAY * 1000 + MS)
    assert sender.read_partial(sender.send(write_one(sender.encoding, late))) == (0, "")
    assert [row["started_at"] for row in server.rows("select * from entries")] == [NOW - 13 * DAY]


def test_nothing_is_a_success(sender: Sender, server: Server) -> None:
    for body in (b"", write(sender.encoding, []), write(sender.encoding, [Group()])):
        assert sender.read_partial(sender.send(body)) == (0, "")
        assert sender.read_partial(sender.send(body, zipped=True)) == (0, "")
    assert count(server, "span_batches") == 0


@pytest.mark.parametrize("body", [b"rubbish", b"\x0a", b"{", b"[1]"])
def test_rubbish_is_refused(sender: Sender, server: Server, body: bytes) -> None:
    answer = sender.send(body)
    assert answer.status_code == 400
    code, message = sender.read_status(answer)
    assert (code, message[:34]) == (3, "The body is not a valid OTLP " + message[29:34])
    [refusal] = server.rows("select * from refusals")
    assert refusal["route"] == "/v1/traces"


def test_without_a_key(server: Server, encoding: str) -> None:
    sender = Sender(server, encoding)
    answer = sender.send(write_one(encoding))
    assert (answer.status_code, sender.read_status(answer)[0]) == (401, 16)
    assert answer.headers["www-authenticate"] == "Bearer"
    sender.secret = server.make_key("deploys:write", "errors:write", "read")
    answer = sender.send(write_one(encoding))
    code, message = sender.read_status(answer)
    assert (answer.status_code, code) == (403, 7)
    assert "traces:write" in message
    assert count(server, "span_batches") == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/traces", "/ingest/v1/logs", "/v1/metrics"])
def test_only_posts(server: Server, method: str, path: str) -> None:
    answer = server.http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_another_content_type(server: Server, content_type: str) -> None:
    headers = {
        "authorization": f"Bearer {server.make_key('traces:write')}",
        "content-type": content_type,
    }
    answer = server.http.post("/v1/traces", content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert "application/x-protobuf or application/json" in answer.json()["message"]
    assert server.rows("select id from span_batches") == []


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_types_as_they_come(server: Server, content_type: str) -> None:
    headers = {
        "authorization": f"Bearer {server.make_key('traces:write')}",
        "content-type": content_type,
    }
    answer = server.http.post("/v1/traces", content=write_one("json"), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert count(server, "entries") == 1


def test_of_a_body_of_very_many_fields_none_is_named(server: Server) -> None:
    sender = Sender(server, "json", server.make_key("traces:write"))
    body = b"{" + b",".join(b'"f%d":0' % number for number in range(20_000)) + b"}"
    told = "Nothing was stored: the body has no resourceSpans."
    assert sender.read_partial(sender.send(body)) == (0, told)


def test_gzip_that_is_none(sender: Sender, server: Server) -> None:
    whole = gzip.compress(write_one(sender.encoding))
    several = whole + gzip.compress(b"")
    assert sender.send(several, content_encoding="gzip").status_code == 413
    # the end of a whole one says its size: of these it is any four bytes
    for body in (b"", whole[:-9], whole[:20], write_one(sender.encoding), b"\x1f\x8b\xff\xff"):
        answer = sender.send(body, content_encoding="gzip")
        assert answer.status_code == 400, body
        assert "gzip" in sender.read_status(answer)[1]
    answer = sender.send(zlib.compress(b"x"), content_encoding="deflate")
    assert answer.status_code == 400
    assert count(server, "span_batches") == 0
    assert server.running.context.budget.taken == 0


def test_limits(small_server: Server, encoding: str) -> None:
    sender = Sender(small_server, encoding, small_server.make_key("traces:write"))
    large = write_one(encoding, Span(attributes={"big": "x" * 70_000}))
    answer = sender.send(large)
    assert (answer.status_code, sender.read_status(answer)[0]) == (413, 11)
    # inflated it may be that large
    assert sender.send(large, zipped=True).status_code == 200
    bomb = write_one(encoding, Span(attributes={"big": "x" * 140_000}))
    assert sender.send(bomb, zipped=True).status_code == 413
    assert count(small_server, "span_batches") == 1


def test_a_bomb_that_lies_about_its_size(small_server: Server, encoding: str) -> None:
    sender = Sender(small_server, encoding, small_server.make_key("traces:write"))
    bomb = gzip.compress(b"\x00" * 30_000_000)
    for claimed in (0, 10, 100_000):
        lie = bomb[:-4] + claimed.to_bytes(4, "little")
        answer = sender.send(lie, content_encoding="gzip")
        assert answer.status_code == 413
    assert small_server.running.context.budget.taken == 0


@pytest.mark.parametrize("zipped", [False, True])
def test_when_there_is_no_room(sender: Sender, server: Server, zipped: bool) -> None:
    budget = server.running.context.budget
    body = write_one(sender.encoding, Span(attributes={"big": "x" * 5000}))
    # a compressed body is small: it is refused for what it would become
    left = 2000

    async def occupy(size: int) -> None:
        budget.taken = size

    server.run(occupy(DEFAULT_BYTES + ROOM_FOR_SMALL - left))
    answer = sender.send(body, zipped=zipped)
    assert (answer.status_code, sender.read_status(answer)[0]) == (503, 14)
    assert int(answer.headers["retry-after"]) >= 1
    assert count(server, "span_batches") == 0
    server.run(occupy(0))
    assert sender.send(body, zipped=zipped).status_code == 200
    assert count(server, "span_batches") == 1
    assert budget.taken == 0


def test_names_are_capped(small_server: Server, encoding: str) -> None:
    sender = Sender(small_server, encoding, small_server.make_key("traces:write"))
    routes = [
        Span(attributes={"http.request.method": "GET", "http.route": f"/r{number}"})
        for number in range(100)
    ]
    groups = [Group(routes)]
    groups += [Group([Span()], {"service.name": f"s{number}"}) for number in range(20)]
    groups += [
        Group([Span()], {"service.name": "shop", "service.version": f"v{number}"})
        for number in range(20)
    ]
    answer = sender.send(write(encoding, groups), zipped=True)
    assert sender.read_partial(answer) == (0, "")
    assert count(small_server, "entries") == 140
    endpoints = small_server.rows("select * from endpoints where service = 'shop'")
    assert len(endpoints) <= 5 + 1
    assert "other" in [row["name"] for row in endpoints]
    services = {row["service"] for row in small_server.rows("select * from releases")}
    assert "other" in services
    assert len(services) <= 3 + 1
    releases = small_server.rows("select * from releases where service = 'shop'")
    assert len(releases) <= 4 + 1
    assert "other" in [row["version"] for row in releases]


def test_many_endpoints(server: Server) -> None:
    sender = Sender(server, "protobuf", server.make_key("traces:write"))
    for start in range(0, 20_000, 2000):
        spans = [
            Span(
                n.to_bytes(16, "big"),
                attributes={"http.request.method": "GET", "http.route": f"/r{n:x}z"},
            )
            for n in range(start + 1, start + 2001)
        ]
        answer = sender.send(write_one("protobuf", *spans), zipped=True)
        assert sender.read_partial(answer) == (0, "")
    assert count(server, "entries") == 20_000
    endpoints = server.rows("select name from endpoints")
    assert len(endpoints) <= 1001
    assert {"name": "other"} in endpoints


def test_bad_utf8_in_names(sender: Sender, server: Server) -> None:
    body = write_one(sender.encoding, Span(name="NAME")).replace(b"NAME", b"\xff\xfeME")
    assert sender.read_partial(sender.send(body)) == (0, "")
    assert [row["name"] for row in server.rows("select name from endpoints")] == ["\ufffd\ufffdME"]


def test_many_attributes(sender: Sender, server: Server) -> None:
    attributes = {f"a{number}": "x" for number in range(10_000)}
    assert sender.send(write_one(sender.encoding, Span(attributes=attributes))).status_code == 200
    assert count(server, "entries") == 1


def test_a_large_body_becomes_several_batches(sender: Sender, server: Server) -> None:
    spans = [Span(n.to_bytes(16, "big"), attributes={"x": "y" * 3000}) for n in range(1, 1001)]
    body = write_one(sender.encoding, *spans)
    for _ in range(2):
        assert sender.read_partial(sender.send(body)) == (0, "")
    batches = server.rows("select * from span_batches")
    assert len(batches) > 2
    assert sum(batch["span_count"] for batch in batches) == count(server, "entries") == 1000


def test_projects_do_not_share_bodies(server: Server, encoding: str) -> None:
    server.run(insert_project(server.running.context, "second"))
    body = write_one(encoding)
    for project in ("default", "second"):
        secret = server.make_key("traces:write", project=project)
        assert Sender(server, encoding, secret).send(body).status_code == 200
    batches = server.rows("select project_id from span_batches")
    assert len({batch["project_id"] for batch in batches}) == len(batches) == 2


def test_the_answer_is_in_the_encoding_of_the_request(server: Server) -> None:
    # also where the body could not be read in either
    secret = server.make_key("traces:write")
    for encoding, content_type in TYPES.items():
        answer = Sender(server, encoding, secret).send(b"\xff")
        assert (answer.status_code, answer.headers["content-type"]) == (400, content_type)
