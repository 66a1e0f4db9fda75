import asyncio
import contextlib
import json
import logging
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from miniapm.web.protocol import make_protocol
from miniapm.web.protocol_limits import ProtocolLimits

Message = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Message], Any]

SECONDS = 10.0
"""How long a test waits before it fails; nothing here should ever take as long."""

LARGE_BYTES = 64 * 1024 * 1024


class App:
    """A tiny ASGI app that notes what it sees: a path when called, and `gone` on a disconnect."""

    def __init__(self) -> None:
        self.seen: queue.Queue[str] = queue.Queue()
        self.release = threading.Event()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.seen.put(path)
        if path == "/refuse":
            return await self.answer(send, 413, b"too large")
        if path == "/refuse-and-close":
            return await self.answer(send, 413, b"too large", (b"connection", b"close"))
        if path == "/held":
            await asyncio.to_thread(self.release.wait, SECONDS)
        if path == "/small":
            return await self.answer(send, 200, b"x" * 60_000)
        if path == "/large":
            return await self.answer(send, 200, b"x" * LARGE_BYTES)
        if path == "/events":
            return await self.stream(receive, send)
        body = await self.read(receive)
        if body is None:
            return self.seen.put("gone")
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        echo = {"method": scope["method"], "path": path, "body": body.decode(), "headers": headers}
        return await self.answer(send, 200, json.dumps(echo).encode())

    async def read(self, receive: Receive) -> bytes | None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += bytes(message["body"])
            if not message["more_body"]:
                return body

    async def stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.seen.put("gone")

    async def answer(
        self, send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]
    ) -> None:
        headers = [(b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The code of an answer made below ASGI, after checking its whole shape."""
        assert self.headers["connection"] == "close"
        assert self.headers["content-type"] == "application/json"
        assert self.headers["x-frame-options"] == "DENY"
        assert int(self.headers["content-length"]) == len(self.body)
        error = json.loads(self.body)
        assert set(error) == {"error", "message"}
        assert error["message"].endswith(".")
        return str(error["error"])


class Client:
    """A plain socket that reads one answer at a time and leaves the rest for the next."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.rest = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            data = self.socket.recv(65536)
            assert data, f"the server closed after {self.rest!r}"
            self.rest += data
        head, _, self.rest = self.rest.partition(mark)
        return head

    def read_answer(self) -> Answer:
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        headers = {name: _original(lines, name) for name in headers}
        length = int(headers["content-length"])
        while len(self.rest) < length:
            data = self.socket.recv(65536)
            assert data, "the server closed inside a body"
            self.rest += data
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    def read_close(self) -> bytes:
        """What is left until the server closes, which it must do without a reset."""
        while data := self.socket.recv(65536):
            self.rest += data
        return self.rest

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.read_answer()


def _original(lines: list[str], name: str) -> str:
    return next(line.split(": ", 1)[1] for line in lines[1:] if line.lower().startswith(name + ":"))


@dataclass(frozen=True, slots=True)
class Server:
    app: App
    port: int
    uvicorn: uvicorn.Server

    def connect(self) -> Client:
        return Client(self.port)

    def assert_healthy(self) -> None:
        with self.connect() as client:
            answer = client.ask(b"POST /health HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
            assert answer.status == 200
            assert json.loads(answer.body)["body"] == "ok"


@contextlib.contextmanager
def serve(
    loop: Any = "uvloop", keep_alive: int = 5, small_buffers: bool = False, **limits: Any
) -> Iterator[Server]:
    """A real server on a free port, checked to be healthy at the end."""
    app = App()
    listener = socket.create_server(("127.0.0.1", 0))
    if small_buffers:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    config = uvicorn.Config(
        app,
        http=make_protocol(ProtocolLimits(**limits)),
        ws="none",
        loop=loop,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=3,
        headers=[("X-Frame-Options", "DENY")],
    )
    uvicorn_server = uvicorn.Server(config)
    thread = threading.Thread(target=uvicorn_server.run, args=([listener],))
    thread.start()
    server = Server(app, listener.getsockname()[1], uvicorn_server)
    try:
        yield server
        if not uvicorn_server.should_exit:
            server.assert_healthy()
    finally:
        app.release.set()
        uvicorn_server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a client sends may put a warning or a traceback into the log."""
    caplog.set_level(logging.INFO)
    yield
    noise = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert noise == []
    assert all(record.exc_info is None for record in caplog.records)


def assert_not_called(server: Server) -> None:
    server.assert_healthy()
    assert server.app.seen.get(timeout=SECONDS) == "/health"
    assert server.app.seen.empty()


@pytest.fixture(autouse=True)
def forget(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        seen = request.getfixturevalue("server").app.seen
        while not seen.empty():
            seen.get()


# Caps


def _head(size: int, fields: int = 1) -> bytes:
    """A whole head of exactly this many bytes."""
    start = b"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n"
    more = b"".join(b"X-%d: \r\n" % number for number in range(fields - 2))
    filler = size - len(start) - len(more) - len(b"X: \r\n\r\n")
    return start + more + b"X: " + b"a" * filler + b"\r\n\r\n"


@pytest.mark.parametrize("first", [1, 100, 16_000, 32_768])
def test_it_takes_a_head_of_just_the_cap_however_it_is_cut(server: Server, first: int) -> None:
    head = _head(32_768)
    assert len(head) == 32_768
    with server.connect() as client:
        client.send(head[:first])
        assert client.ask(head[first:]).status == 200


@pytest.mark.parametrize("first", [1, 100, 16_000, 32_768, 32_769])
def test_it_refuses_a_head_of_one_byte_more(server: Server, first: int) -> None:
    head = _head(32_769)
    with server.connect() as client:
        client.send(head[:first])
        answer = client.ask(head[first:])
        assert (answer.status, answer.error) == (431, "headers_too_large")
        assert client.read_close() == b""
    assert_not_called(server)


def test_it_counts_a_pipelined_head_by_itself(server: Server) -> None:
    small = b"POST /echo HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + b"b" * 20_000
    with server.connect() as client:
        client.send(small + _head(32_768)[:15_000])
        assert client.read_answer().status == 200
        client.send(_head(32_768)[15_000:])
        assert client.read_answer().status == 200
        client.send(small + _head(32_769)[:15_000])
        assert client.read_answer().status == 200
        client.send(_head(32_769)[15_000:])
        assert client.read_answer().error == "headers_too_large"


def test_it_takes_a_hundred_fields_and_refuses_one_more(server: Server) -> None:
    with server.connect() as client:
        assert client.ask(_head(4_000, fields=100)).status == 200
        assert client.ask(_head(4_000, fields=101)).error == "headers_too_large"
    assert server.app.seen.get() == "/echo"
    assert_not_called(server)


ENDLESS = {
    "value": (b"GET /echo HTTP/1.1\r\nX: ", b"a" * 65_536),
    "name": (b"GET /echo HTTP/1.1\r\n", b"a" * 65_536),
    "url": (b"GET /", b"a" * 65_536),
    "query": (b"GET /?", b"a" * 65_536),
    "fields": (b"GET /echo HTTP/1.1\r\n", b"X: a\r\n" * 10_000),
    "empty lines": (b"", b"\r\n" * 32_768),
}


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_it_answers_431_to_ten_megabytes_of_head(kind: str, loop: str) -> None:
    start, block = ENDLESS[kind]
    with serve(loop=loop) as server, server.connect() as client:
        client.send(start)
        for _ in range(10 * 1024 * 1024 // len(block)):
            client.send(block)
        answer = client.read_answer()
        assert (answer.status, answer.error) == (431, "headers_too_large")
        assert client.read_close() == b""
        assert_not_called(server)


@pytest.mark.parametrize("fields", [b"X: " + b"a" * 32_768, b"X: a\r\n" * 102])
def test_it_answers_431_without_waiting_for_the_end(server: Server, fields: bytes) -> None:
    with server.connect() as client:
        assert client.ask(b"GET /echo HTTP/1.1\r\n" + fields).error == "headers_too_large"


@pytest.mark.parametrize(
    "trailers", [b"X: a\r\n" * 102, b"X: a\r\n" * 20_000, b"X: " + b"a" * 200_000, b"a" * 99_999]
)
def test_it_refuses_a_flood_of_trailers(server: Server, trailers: bytes) -> None:
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        assert server.app.seen.get(timeout=SECONDS) == "/echo"
        assert client.ask(trailers).error == "headers_too_large"
        assert client.read_close() == b""
    assert server.app.seen.get(timeout=SECONDS) == "gone"


def test_it_refuses_an_endless_chunk_extension(server: Server) -> None:
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;")
        assert client.ask(b"a" * 99_999).error == "headers_too_large"


def test_it_keeps_trailers_from_the_app(server: Server) -> None:
    body = b"2\r\nok\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    with server.connect() as client:
        answer = client.ask(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        assert json.loads(answer.body)["headers"] == {"transfer-encoding": "chunked"}


def test_it_takes_a_large_body_in_small_chunks(server: Server) -> None:
    with server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\nx\r\n" * 100_000)
        answer = client.ask(b"0\r\n\r\n")
        assert json.loads(answer.body)["body"] == "x" * 100_000


def test_it_takes_only_so_many_small_chunks() -> None:
    with serve(small_chunk_count=1_000) as server, server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\nx\r\n" * 1_001)
        answer = client.read_answer()
        assert (answer.status, answer.error) == (400, "invalid")
        assert client.read_close() == b""


@pytest.mark.parametrize(
    "piece", [b"1000\r\n" + b"x" * 4096 + b"\r\n", b"1\r\nx\r\n"], ids=["large", "small"]
)
def test_it_does_not_read_for_ever_what_is_answered(piece: bytes) -> None:
    limits: dict[str, Any] = {"unread_bytes": 100_000, "unread_chunk_count": 100}
    with serve(linger_bytes=50_000, **limits) as server, server.connect() as client:
        client.send(b"POST /refuse HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.read_answer().status == 413
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.send(piece * 1_000_000)


def test_it_discards_a_bounded_amount_after_a_refusal() -> None:
    with serve(linger_bytes=100_000) as server, server.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
        assert client.read_answer().error == "headers_too_large"
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.send(b"a" * 256 * 1024 * 1024)


def test_it_discards_for_a_bounded_time_after_a_refusal() -> None:
    with serve(linger_seconds=0.2) as server, server.connect() as client:
        assert client.ask(b"GET\r\n\r\n").error == "invalid"
        assert client.read_close() == b""
        _await(lambda: not server.uvicorn.server_state.connections)


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("path", [b"/refuse", b"/refuse-and-close"])
def test_it_lets_a_client_read_an_answer_that_came_before_its_body(
    server: Server, path: bytes, head: bytes
) -> None:
    with server.connect() as client:
        client.send(b"POST %b HTTP/1.1\r\n%bContent-Length: 10000000\r\n\r\n" % (path, head))
        for _ in range(100):
            client.send(b"x" * 100_000)
        answer = client.read_answer()
        assert (answer.status, answer.body) == (413, b"too large")
        if head or path == b"/refuse-and-close":
            assert answer.headers["connection"] == "close"
            assert client.read_close() == b""
        else:
            assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200


# Deadlines


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nX: ", b"\r\n"])
def test_it_answers_408_to_headers_that_do_not_end(start: bytes) -> None:
    with serve(header_seconds=0.2) as server, server.connect() as client:
        answer = client.ask(start)
        assert (answer.status, answer.error) == (408, "request_timeout")
        assert client.read_close() == b""
        assert_not_called(server)


def test_it_does_not_let_a_trickle_extend_the_header_deadline() -> None:
    with serve(header_seconds=0.3) as server, server.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nX: ")
        assert _trickle(client).error == "request_timeout"


def test_it_closes_a_connection_that_never_speaks() -> None:
    with serve(header_seconds=0.2) as server, server.connect() as client:
        assert client.read_close() == b""


def test_it_holds_a_later_request_to_the_header_deadline() -> None:
    with serve(header_seconds=0.2) as server, server.connect() as client:
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
        assert client.ask(b"GET /echo HT").error == "request_timeout"


def test_it_holds_a_pipelined_request_to_the_header_deadline() -> None:
    with serve(header_seconds=0.2) as server, server.connect() as client:
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\nGET /echo HT").status == 200
        assert client.read_answer().error == "request_timeout"


def test_it_keeps_an_idle_connection_for_the_keep_alive_time() -> None:
    with serve(header_seconds=0.1, keep_alive=1) as server, server.connect() as client:
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
        asked_at = time.monotonic()
        client.socket.settimeout(SECONDS)
        assert client.read_close() == b""
        assert time.monotonic() - asked_at > 0.9


def test_it_answers_408_to_a_body_that_does_not_end() -> None:
    with serve(body_seconds=0.2) as server, server.connect() as client:
        answer = client.ask(b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nhal")
        assert (answer.status, answer.error) == (408, "request_timeout")
        assert client.read_close() == b""
        assert [server.app.seen.get(timeout=SECONDS) for _ in range(2)] == ["/echo", "gone"]


def test_it_does_not_let_a_trickle_extend_the_body_deadline() -> None:
    with serve(body_seconds=0.3) as server, server.connect() as client:
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        assert _trickle(client).error == "request_timeout"


def test_it_closes_when_a_body_is_late_that_was_answered_already() -> None:
    with serve(body_seconds=0.2) as server, server.connect() as client:
        answer = client.ask(b"POST /refuse HTTP/1.1\r\nContent-Length: 10\r\n\r\nhal")
        assert answer.status == 413
        assert client.read_close() == b""


def test_it_closes_an_idle_connection_whose_body_came_after_the_answer() -> None:
    with serve(keep_alive=0) as server, server.connect() as client:
        client.send(b"POST /refuse HTTP/1.1\r\nContent-Length: 10\r\n\r\nhal")
        assert client.read_answer().status == 413
        server.assert_healthy()
        client.send(b"f a day")
        assert client.read_close() == b""


def test_it_answers_408_to_a_body_that_the_app_does_not_read() -> None:
    with serve(body_seconds=0.2) as server, server.connect() as client:
        client.send(b"POST /held HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        client.send(b"x" * 10_000_000)
        assert client.read_answer().error == "request_timeout"
        assert client.read_close() == b""


def test_it_leaves_a_long_answer_alone() -> None:
    serving = serve(keep_alive=1, header_seconds=0.5, body_seconds=0.5, write_seconds=0.5)
    with serving as server, server.connect() as client, server.connect() as watcher:
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
        client.send(b"POST /held HTTP/1.1\r\nContent-Length: 2\r\n\r\no")
        client.send(b"k")
        watcher.send(b"GET /events HTTP/1.1\r\n\r\n")
        watcher.read_until(b"data: 1\n\n")
        for waiting in (client, watcher):
            waiting.socket.settimeout(1.3)
            with pytest.raises(TimeoutError):
                waiting.socket.recv(1)
            waiting.socket.settimeout(SECONDS)
        server.app.release.set()
        assert client.read_answer().status == 200


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_cuts_a_client_that_does_not_read(loop: str) -> None:
    with serve(loop=loop, write_seconds=0.2) as server, server.connect() as client:
        client.send(b"GET /large HTTP/1.1\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        _await(lambda: not server.uvicorn.server_state.connections)
        assert len(client.read_close()) < LARGE_BYTES


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_cuts_a_client_that_does_not_read_the_end_of_an_answer(loop: str) -> None:
    serving = serve(loop=loop, small_buffers=True, write_seconds=0.2)
    with serving as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(b"GET /small HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert server.app.seen.get(timeout=SECONDS) == "/small"
        _await(lambda: not server.uvicorn.server_state.connections)


def test_it_waits_for_a_client_that_reads_slowly() -> None:
    with serve(write_seconds=1.0) as server, server.connect() as client:
        client.send(b"GET /large HTTP/1.1\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        left = LARGE_BYTES - len(client.rest)
        started_at = time.monotonic()
        pause = threading.Event()
        while left:
            data = client.socket.recv(1024 * 1024)
            assert data, f"cut with {left} bytes to go"
            left -= len(data)
            pause.wait(0.02)
        assert time.monotonic() - started_at > 1.0


def _trickle(client: Client) -> Answer:
    """Send a byte at a time until the server answers."""
    client.socket.settimeout(0.02)
    for _ in range(500):
        client.send(b"a")
        with contextlib.suppress(TimeoutError):
            client.rest += client.socket.recv(65536)
            break
    client.socket.settimeout(SECONDS)
    return client.read_answer()


def _await(condition: Callable[[], bool]) -> None:
    """Wait for what shows on no socket of ours."""
    deadline = time.monotonic() + SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)


# Invalid requests

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
INVALID = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"hello\r\n\r\n",
    b"GET / HTTP/3.7\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"GET http://example.org HTTP/1.1\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\n\r\n",
    "GET /é HTTP/1.1\r\n\r\n".encode(),
    b"GET /\x00 HTTP/1.1\r\n\r\n",
    b"GET /%ff HTTP/1.1\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\n\r\n",
    b"GET /a%2 HTTP/1.1\r\n\r\n",
    POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    POST + b"Content-Length: 3, 3\r\n\r\nabc",
    POST + b"Content-Length: +3\r\n\r\nabc",
    POST + b"Content-Length: -1\r\n\r\nabc",
    POST + b"Content-Length: 0x3\r\n\r\nabc",
    POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    POST + b"Content-Length : 3\r\n\r\nabc",
    POST + b"Content-Length:\r\n\r\n",
    POST + b"Transfer-Encoding: identity\r\n\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    POST + b"X: a\r\n folded\r\n\r\n",
    POST + b"X: a\nTransfer-Encoding: chunked\r\n\r\n",
    POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n",
    POST + b"X: a\x00\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok",
]


@pytest.mark.parametrize("request_bytes", INVALID)
def test_it_answers_400_to_invalid_http(
    server: Server, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with server.connect() as client:
        answer = client.ask(request_bytes)
        assert (answer.status, answer.error) == (400, "invalid")
        assert client.read_close() == b""
    assert_not_called(server)
    assert "example.org" not in caplog.text
    assert "folded" not in caplog.text


def test_it_answers_400_to_a_body_that_turns_invalid(server: Server) -> None:
    with server.connect() as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        assert server.app.seen.get(timeout=SECONDS) == "/echo"
        assert client.ask(b"xyz\r\n").error == "invalid"
    assert server.app.seen.get(timeout=SECONDS) == "gone"


@pytest.mark.parametrize(
    ("request_bytes", "path"),
    [
        (b"GET /%C3%A9%20x?q=50%&r=%ff HTTP/1.1\r\n\r\n", "/\xe9 x"),
        (b"GET http://example.org/echo HTTP/1.1\r\n\r\n", "/echo"),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", "*"),
        (b"\r\n\r\nGET //echo HTTP/1.0\r\n\r\n", "//echo"),
    ],
)
def test_it_takes_unusual_but_valid_requests(
    server: Server, request_bytes: bytes, path: str
) -> None:
    with server.connect() as client:
        answer = client.ask(request_bytes)
        assert answer.status == 200
        assert json.loads(answer.body)["path"] == path


def test_it_says_nothing_about_a_client_that_resets_after_nonsense(server: Server) -> None:
    for _ in range(300):
        with server.connect() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(b"nonsense\r\n\r\n")
    server.assert_healthy()


# Upgrades and pipelining

WEBSOCKET = (
    b"GET /echo HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
H2C = (
    b"POST /echo HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nContent-Length: 5\r\n\r\nhello"
)


@pytest.mark.parametrize("cut", [1, 60, 140, len(H2C) - 2, len(H2C)])
def test_it_treats_an_upgrade_as_an_ordinary_request(server: Server, cut: int) -> None:
    with server.connect() as client:
        assert client.ask(WEBSOCKET).status == 200
        client.send(H2C[:cut])
        answer = client.ask(H2C[cut:])
        assert answer.status == 200
        assert json.loads(answer.body)["body"] == "hello"
        assert client.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200


def test_it_takes_an_upgrade_with_a_chunked_body_and_a_request_behind_it(server: Server) -> None:
    chunked = H2C.replace(b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n")
    with server.connect() as client:
        client.send(chunked + b"2\r\nok\r\n0\r\n\r\nGET /two HTTP/1.1\r\n\r\n")
        assert json.loads(client.read_answer().body)["body"] == "ok"
        assert json.loads(client.read_answer().body)["path"] == "/two"


def test_it_refuses_a_flood_of_upgrades(server: Server) -> None:
    with server.connect() as client:
        client.send(WEBSOCKET * 2)
        assert client.read_answer().status == 200
        assert client.read_answer().error == "invalid"


def test_it_answers_pipelined_requests_in_order(server: Server) -> None:
    requests = [
        b"POST /%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" % number for number in range(100)
    ]
    with server.connect() as client:
        client.send(b"".join(requests))
        for number in range(100):
            assert json.loads(client.read_answer().body)["path"] == f"/{number}"


def test_it_answers_pipelined_requests_with_large_bodies(server: Server) -> None:
    one = b"POST /echo HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000
    with server.connect() as client:
        sender = threading.Thread(target=client.send, args=(one * 50,))
        sender.start()
        for _ in range(50):
            assert len(json.loads(client.read_answer().body)["body"]) == 50_000
        sender.join(SECONDS)


def test_it_refuses_a_flood_of_pipelined_requests() -> None:
    with serve(pipeline_count=10) as server, server.connect() as client:
        client.send(b"GET /echo HTTP/1.1\r\n\r\n" * 10_000)
        for _ in range(11):
            assert client.read_answer().status == 200
        answer = client.read_answer()
        assert (answer.status, answer.error) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
        assert client.read_close() == b""


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (b"nonsense\r\n\r\n", "invalid"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 99_999, "headers_too_large"),
        (b"POST /never HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "invalid"),
        (b"POST /never HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", "request_timeout"),
        (b"POST /never HT", "request_timeout"),
    ],
)
@pytest.mark.parametrize("held", [1, 3])
def test_it_answers_what_came_before_a_refused_request_first(
    behind: bytes, code: str, held: int
) -> None:
    with serve(header_seconds=0.2, body_seconds=0.2) as server, server.connect() as client:
        client.send(b"GET /held HTTP/1.1\r\n\r\n" * held + behind)
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(SECONDS)
        server.app.release.set()
        for _ in range(held):
            assert client.read_answer().status == 200
        assert client.read_answer().error == code
        assert client.read_close() == b""
        assert "/never" not in server.app.seen.queue


@pytest.mark.parametrize(
    "behind",
    [
        b"",
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe",
        b"POST /echo HTTP/1.1\r\nContent-Le",
        b"nonsense\r\n\r\n",
    ],
)
def test_it_tells_a_silent_stream_that_its_client_left(server: Server, behind: bytes) -> None:
    for together in (True, False):
        with server.connect() as client:
            client.send(b"GET /events HTTP/1.1\r\n\r\n" + behind * together)
            client.read_until(b"data: 1\n\n")
            client.send(behind * (not together))
            server.assert_healthy()
        seen = [server.app.seen.get(timeout=SECONDS) for _ in range(3)]
        assert seen == ["/events", "/health", "gone"]


def test_it_reads_no_large_body_ahead_of_the_answer_due() -> None:
    with serve(body_seconds=1.0) as server:
        with server.connect() as client:
            client.send(b"GET /events HTTP/1.1\r\n\r\n")
            client.read_until(b"data: 1\n\n")
            client.send(b"POST /never HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
            client.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.send(b"x" * 50_000_000)
        assert [server.app.seen.get(timeout=SECONDS) for _ in range(2)] == ["/events", "gone"]


# Shutdown

CHILD = """
import signal, socket, sys
import uvicorn
from miniapm.web.protocol import make_protocol
from miniapm.web.protocol_limits import ProtocolLimits
from tests.web.test_protocol import App

signal.signal(signal.SIGTERM, lambda *_: None)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
protocol = make_protocol(ProtocolLimits())
config = uvicorn.Config(
    App(), http=protocol, ws="none", lifespan="off", loop=sys.argv[1], access_log=False,
    timeout_graceful_shutdown=3, headers=[("X-Frame-Options", "DENY")],
)
uvicorn.Server(config).run([listener])
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_exits_with_slow_clients_of_every_kind_attached(loop: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, loop],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        with contextlib.ExitStack() as stack:
            silent, used, head, body, fresh, reader, lingering, events, behind = (
                stack.enter_context(Client(port)) for _ in range(9)
            )
            assert used.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
            body.send(
                b"POST /echo HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\nhal"
            )
            body.read_until(b"100 Continue\r\n\r\n")
            fresh.send(b"POST /refuse HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal")
            assert fresh.read_answer().status == 413
            reader.send(b"GET /large HTTP/1.1\r\n\r\n")
            reader.read_until(b"\r\n\r\n")
            assert lingering.ask(b"nonsense\r\n\r\n").error == "invalid"
            events.send(b"GET /events HTTP/1.1\r\n\r\n")
            events.read_until(b"data: 1\n\n")
            behind.send(b"GET /events HTTP/1.1\r\n\r\nPOST /echo HTTP/1.1\r\nContent-Le")
            behind.read_until(b"data: 1\n\n")
            assert head.ask(b"GET /echo HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\nX").status == 200

            child.send_signal(signal.SIGTERM)
            for refused in (head, body):
                answer = refused.read_answer()
                assert (answer.status, answer.error) == (503, "busy")
                assert int(answer.headers["retry-after"]) > 0
            for closed in (silent, used, head, body, fresh, lingering):
                assert closed.read_close() == b""
            _, stderr = child.communicate(timeout=6)
        assert child.returncode == 0
        assert "Traceback" not in stderr
        assert "ERROR" not in stderr
        assert "WARNING" not in stderr
    finally:
        child.kill()
        child.communicate()


def test_it_lets_a_whole_request_finish_at_shutdown() -> None:
    with serve() as server, server.connect() as client, server.connect() as idle:
        assert idle.ask(b"GET /echo HTTP/1.1\r\n\r\n").status == 200
        client.send(b"POST /held HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
        assert [server.app.seen.get(timeout=SECONDS) for _ in range(2)] == ["/echo", "/held"]
        server.uvicorn.should_exit = True
        assert idle.read_close() == b""
        server.app.release.set()
        answer = client.read_answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.read_close() == b""


def test_it_does_not_wait_at_shutdown_for_a_client_that_was_refused() -> None:
    with serve(linger_seconds=60, drain_seconds=60) as server, server.connect() as client:
        assert client.ask(b"nonsense\r\n\r\n").error == "invalid"
        server.uvicorn.should_exit = True
        _await(lambda: not server.uvicorn.server_state.connections)
