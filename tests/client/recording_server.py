"""A little HTTP server that keeps every request and answers what it is told."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(cls, status: int, value: object, **headers: str) -> "Reply":
        return cls(status, headers, json.dumps(value).encode())


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RecordingServer:
    """`replies` are used up first, then those for a path; the last of them stays. Else POST gets
    202 with a Location and GET `listing`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.replies: list[Reply] = []
        self.replies_to: dict[str, list[Reply]] = {}
        self.listing: list[dict[str, object]] = []

    @property
    def posts(self) -> list[Received]:
        return [one for one in self.received if one.method == "POST"]

    @property
    def gets(self) -> list[Received]:
        return [one for one in self.received if one.method == "GET"]

    def everything(self) -> bytes:
        return b"\n".join(
            f"{one.path} {dict(one.headers)}".encode() + one.body for one in self.received
        )

    def reply_to(self, request: Received) -> Reply:
        self.received.append(request)
        if self.replies:
            return self.replies.pop(0)
        if queue := self.replies_to.get(request.path.partition("?")[0]):
            return queue.pop(0) if len(queue) > 1 else queue[0]
        if request.method == "POST":
            return Reply(202, {"Location": "/p/default/deploys/42"})
        return Reply.json(200, {"items": self.listing, "next_cursor": None})


@contextmanager
def recording_server() -> Iterator[RecordingServer]:
    """Listens on a port of 127.0.0.1 that the system chooses."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = recorder.reply_to(Received(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder = RecordingServer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def chattering_server() -> Iterator[str]:
    """The address of a server that says "100 Continue" for ever: no read of it ever times out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def chatter() -> None:
            with suppress(OSError):
                connections.append(listener.accept()[0])
                while True:
                    connections[0].sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        thread = threading.Thread(target=chatter)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for connection in connections:
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def closed_port_url() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
