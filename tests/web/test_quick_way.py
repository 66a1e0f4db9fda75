"""The quick ways of deploys and traces answer and store like the long ones, on real sockets."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from miniapm.storage.connection import open_connection
from miniapm.web.ingest.digesting import SMALL_BYTES
from miniapm.web.ingest.quick import take_traces
from tests.conftest import Server
from tests.domain.otlp.reading import write
from tests.otlp import Group, Span
from tests.web.otlp_calls import TYPES

PLAIN = b'{"git_sha":"%b","deployer":"ci"}'


def request(key: str, body: bytes, *more: bytes, version: bytes = b"1.1") -> bytes:
    lines = [
        b"POST /ingest/deploys HTTP/" + version,
        b"Host: localhost",
        b"Authorization: Bearer " + key.encode(),
        *more,
    ]
    if not any(line.lower().startswith(b"transfer-encoding") for line in more):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def talk(server: Server, *pieces: bytes, answers: int = 1) -> list[bytes]:
    """Sends the pieces one by one; the heads of the answers, which have no bodies."""
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while received.count(b"\r\n\r\n") < answers:
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
    return received.split(b"\r\n\r\n")[:answers]


def shas(server: Server) -> list[str]:
    return [row["git_sha"] for row in server.rows("select git_sha from deploys order by id")]


def test_both_ways_give_the_same_answer(server: Server) -> None:
    key = server.make_key()
    [quick] = talk(server, request(key, PLAIN % b"aaaaaaa1"))
    [long] = talk(server, request(key, PLAIN % b"aaaaaaa2", b"Idempotency-Key: k"))

    def fields(head: bytes) -> list[tuple[bytes, bytes]]:
        status, *lines = head.split(b"\r\n")
        told = [tuple(line.split(b": ", 1)) for line in lines]
        return [(b"", status), *((n, v) for n, v in told if n not in (b"location", b"date"))]

    assert fields(quick) == fields(long)
    assert b"x-content-type-options: nosniff" in quick
    rows = server.rows("select id, git_sha, deployer, key_id, env from deploys order by id")
    assert [row["git_sha"] for row in rows] == ["aaaaaaa1", "aaaaaaa2"]
    assert b"location: /p/default/deploys/%d" % rows[0]["id"] in quick
    assert rows[0]["key_id"] == rows[1]["key_id"]
    assert {row["env"] for row in rows} == {"production"}


def test_a_body_in_pieces_and_a_chunked_one_arrive_too(server: Server) -> None:
    key = server.make_key()
    whole = request(key, PLAIN % b"aaaaaaa1")
    [head] = talk(server, whole[:-5], whole[-5:])
    assert head.startswith(b"HTTP/1.1 202")
    body = PLAIN % b"aaaaaaa2"
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    [head] = talk(server, request(key, chunked, b"Transfer-Encoding: chunked"))
    assert head.startswith(b"HTTP/1.1 202")
    assert shas(server) == ["aaaaaaa1", "aaaaaaa2"]


def test_pipelined_posts_are_answered_in_order(server: Server) -> None:
    key = server.make_key()
    posts = [request(key, PLAIN % b"aaaaaaa%d" % number) for number in range(5)]
    heads = talk(server, b"".join(posts), answers=5)
    assert [head.split(b" ")[1] for head in heads] == [b"202"] * 5
    rows = {row["git_sha"]: row["id"] for row in server.rows("select id, git_sha from deploys")}
    for number, head in enumerate(heads):
        assert b"/deploys/%d\r\n" % rows[f"aaaaaaa{number}"] in head + b"\r\n"


HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(server: Server) -> Iterator[tuple[socket.socket, Callable[[], bytes]]]:
    """A connection, and what reads the status of the next answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as connection,
        connection.makefile("rb") as answers,
    ):

        def read_status() -> bytes:
            head = b"".join(iter(answers.readline, b"\r\n"))
            length = re.search(rb"content-length: (\d+)", head)
            answers.read(int(length[1]) if length else 0)
            return head[9:12]

        yield connection, read_status


def test_a_head_that_comes_again_behind_an_answer_of_the_app_holds_up_nothing(
    server: Server,
) -> None:
    key = server.make_key()
    server.run(server.running.context.keyring.refresh())
    with closing(open_connection(server.path)) as writing, connected(server) as (connection, read):
        connection.sendall(request(key, PLAIN % b"aaaaaaa1"))
        assert read() == b"202"
        connection.sendall(HEALTH)
        assert read() == b"200"
        writing.execute("begin immediate")
        for sha in (b"aaaaaaa2", b"aaaaaaa3"):
            connection.sendall(request(key, PLAIN % sha))
            server.http.get("/health")  # by its answer, the post is read
        writing.execute("rollback")
        assert [read(), read()] == [b"202", b"202"]
    assert shas(server) == ["aaaaaaa1", "aaaaaaa2", "aaaaaaa3"]


def test_a_head_that_comes_again_behind_half_a_method_is_the_rest_of_that(server: Server) -> None:
    key = server.make_key()
    server.run(server.running.context.keyring.refresh())
    with connected(server) as (connection, read):
        connection.sendall(request(key, PLAIN % b"aaaaaaa1"))
        assert read() == b"202"
        connection.sendall(HEALTH + b"PO")
        assert read() == b"200"
        connection.sendall(request(key, PLAIN % b"aaaaaaa2"))
        assert read() == b"400"
    assert shas(server) == ["aaaaaaa1"]


@pytest.mark.parametrize(
    ("version", "more"), [(b"1.0", []), (b"1.1", [b"Connection: close"])], ids=["1.0", "close"]
)
def test_a_connection_that_ends_is_closed(
    server: Server, version: bytes, more: list[bytes]
) -> None:
    key = server.make_key()
    post = request(key, PLAIN % b"aaaaaaa1", *more, version=version)
    # the second answer never comes: the server closes instead
    [head, *rest] = talk(server, post, answers=2)
    assert head.startswith(b"HTTP/1.1 202")
    assert b"connection: close" in head
    assert rest == [b""]


def test_a_refusal_is_explained_and_kept(server: Server) -> None:
    key = server.make_key()
    answer = server.http.post(
        "/ingest/deploys",
        content=PLAIN % b"${SHA}",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 400
    assert "git_sha" in answer.json()["fields"]
    assert [row["status"] for row in server.rows("select status from refusals")] == [400]


def test_a_revoked_key_is_refused_and_use_is_noted(server: Server) -> None:
    key = server.make_key()
    assert talk(server, request(key, PLAIN % b"aaaaaaa1"))[0].startswith(b"HTTP/1.1 202")
    server.run(server.running.context.keyring.write_last_used())
    [row] = server.rows("select last_used_at from keys")
    assert row["last_used_at"] is not None
    connection = open_connection(server.path)
    try:
        connection.execute("update keys set revoked_at = 1, changed_at = changed_at + 1")
    finally:
        connection.close()
    server.run(server.running.context.keyring.refresh())
    [head] = talk(server, request(key, PLAIN % b"aaaaaaa2"))
    assert head.startswith(b"HTTP/1.1 403")
    assert shas(server) == ["aaaaaaa1"]


def test_a_full_disk_is_said_in_json(server: Server) -> None:
    key = server.make_key()

    def fill(connection: object) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0]  # type: ignore[attr-defined]
        connection.execute(f"pragma max_page_count = {pages}")  # type: ignore[attr-defined]

    server.run(server.running.context.database.write(fill))
    statuses = set()
    for number in range(200):
        answer = server.http.post(
            "/ingest/deploys",
            content=PLAIN % (b"%08d" % number),
            headers={"Authorization": f"Bearer {key}"},
        )
        statuses.add(answer.status_code)
        if answer.status_code == 503:
            break
    assert statuses == {202, 503}
    assert answer.json()["error"] == "busy"
    assert "disk is full" in answer.json()["message"]
    assert int(answer.headers["retry-after"]) > 0


def export(key: str, encoding: str, body: bytes) -> bytes:
    lines = [
        b"POST /v1/traces HTTP/1.1",
        b"Host: localhost",
        b"Authorization: Bearer " + key.encode(),
        b"Content-Type: " + TYPES[encoding].encode(),
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_both_ways_of_traces_give_the_same_answer(server: Server, encoding: str) -> None:
    key = server.make_key("traces:write")
    for number, pieces in enumerate((1, 2)):
        trace_id = bytes([number + 1]) * 16
        whole = export(key, encoding, write(encoding, [Group([Span(trace_id=trace_id)])]))
        cut = len(whole) if pieces == 1 else -5
        [head] = talk(server, *filter(None, (whole[:cut], whole[cut:])))
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date")]
        assert lines[0] == b"HTTP/1.1 200 OK"
        if pieces == 1:
            quick = lines
    assert lines == quick
    columns = "duration_us, endpoint_id, release_id, failed, status_code"
    rows = server.rows(f"select {columns} from entries order by id")
    assert len(rows) == 2
    assert tuple(rows[0]) == tuple(rows[1])
    assert len(server.rows("select id from span_batches")) == 2


def takes_quickly(server: Server, body: bytes, headers: dict[str, str]) -> bool:
    """Whether the quick way takes a call, which it then stores."""
    context = server.running.context
    told = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def take() -> bool:
        pending = take_traces(context, {"method": "POST", "headers": told}, body)
        if pending is None:
            return False
        await pending.future
        return pending.finish(pending.future).status == 200

    return server.run(take())


def test_what_is_out_of_the_ordinary_takes_the_long_way(server: Server) -> None:
    good = {
        "authorization": f"Bearer {server.make_key('traces:write')}",
        "content-type": "application/x-protobuf",
    }
    body = write("protobuf", [Group([Span()])])
    server.run(server.running.context.keyring.refresh())
    assert not takes_quickly(server, body, {**good, "content-encoding": "gzip"})
    assert not takes_quickly(server, body, {**good, "content-type": "text/plain"})
    assert not takes_quickly(server, body, {**good, "authorization": "Bearer mapm_unknown"})
    reader = f"Bearer {server.make_key('read')}"
    server.run(server.running.context.keyring.refresh())
    assert not takes_quickly(server, body, {**good, "authorization": reader})
    assert not takes_quickly(server, b"\xff" + body, good)
    assert not takes_quickly(server, b"", good)
    assert not takes_quickly(server, body + bytes(SMALL_BYTES), good)
    without_trace = write("protobuf", [Group([Span(), Span(trace_id=bytes(16))])])
    assert not takes_quickly(server, without_trace, good)
    with server.running.context.database.precedence.hold():
        assert not takes_quickly(server, body, good)
    assert server.rows("select id from span_batches") == []
    assert takes_quickly(server, body, good)
    assert len(server.rows("select id from span_batches")) == 1


def test_traces_on_a_full_disk_are_told_to_wait(server: Server) -> None:
    key = server.make_key("traces:write")

    def fill(connection: object) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0]  # type: ignore[attr-defined]
        connection.execute(f"pragma max_page_count = {pages}")  # type: ignore[attr-defined]

    server.run(server.running.context.database.write(fill))
    for number in range(200):
        span = Span(trace_id=(number + 1).to_bytes(16), name=f"{number}" * 400)
        [head] = talk(server, export(key, "protobuf", write("protobuf", [Group([span])])))
        if not head.startswith(b"HTTP/1.1 200"):
            break
    assert head.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: " in head
    assert b"\r\ncontent-type: application/x-protobuf\r\n" in head


def talk_in_turns(server: Server, *requests: bytes) -> list[bytes]:
    """Sends each request when the last was answered, over one connection; the statuses."""
    host, port = server.url.removeprefix("http://").split(":")
    statuses = []
    with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        for whole in requests:
            connection.sendall(whole)
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            [length] = re.findall(rb"content-length: (\d+)", head)
            while len(body) < int(length):
                body += connection.recv(65536)
            statuses.append(head.split(b" ")[1])
    return statuses


def test_a_head_that_comes_again_brings_its_own_body(server: Server) -> None:
    key, other = server.make_key(), server.make_key()
    posts = [
        request(key, PLAIN % b"aaaaaaa1"),
        request(key, PLAIN % b"aaaaaaaaaaaaaaa2"),
        request(key, PLAIN % b"${SHA}"),
        request(key, b""),
        request(key, PLAIN % b"aaaaaaa3", b"Idempotency-Key: k"),
        request(key, PLAIN % b"aaaaaaa4"),
        request(other, PLAIN % b"aaaaaaa5"),
        request(other, PLAIN % b"aaaaaaa6"),
        request("mapm_unknown", PLAIN % b"aaaaaaa7"),
        request(other, PLAIN % b"aaaaaaa8"),
    ]
    statuses = talk_in_turns(server, *posts)
    assert statuses == [b"202", b"202", b"400", b"400", *[b"202"] * 4, b"401", b"202"]
    rows = server.rows("select git_sha, key_id from deploys order by id")
    assert [row["git_sha"] for row in rows] == [
        "aaaaaaa1", "aaaaaaaaaaaaaaa2", "aaaaaaa3", "aaaaaaa4", "aaaaaaa5", "aaaaaaa6", "aaaaaaa8"
    ]  # fmt: skip
    assert len({row["key_id"] for row in rows[:4]}) == 1
    assert {row["key_id"] for row in rows[4:]}.isdisjoint({rows[0]["key_id"]})


def test_a_key_that_was_revoked_is_refused_under_a_known_head(server: Server) -> None:
    key = server.make_key()
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        for number, status in enumerate((b"202", b"202", b"403")):
            if status == b"403":
                database = open_connection(server.path)
                database.execute("update keys set revoked_at = 1, changed_at = changed_at + 1")
                database.close()
                server.run(server.running.context.keyring.refresh())
            connection.sendall(request(key, PLAIN % b"aaaaaaa%d" % number))
            assert connection.recv(65536).split(b" ")[1] == status
    assert shas(server) == ["aaaaaaa0", "aaaaaaa1"]


def test_pipelined_posts_behind_a_known_head_are_answered_in_order(server: Server) -> None:
    key = server.make_key()
    assert talk_in_turns(server, request(key, PLAIN % b"aaaaaaa0")) == [b"202"]
    first, *rest = [request(key, PLAIN % b"bbbbbbb%d" % number) for number in range(5)]
    assert [
        head.split(b" ")[1]
        for head in talk(
            server, first, first, b"".join(rest), rest[0][:40], rest[0][40:], answers=7
        )
    ] == [b"202"] * 7
    assert sorted(set(shas(server))) == ["aaaaaaa0", *(f"bbbbbbb{n}" for n in range(5))]
