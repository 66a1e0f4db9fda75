"""A receiver of webhooks: a real server on a free port that answers what it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from miniapm.domain.webhooks.signatures import sign

ANSWER_SECONDS = 20.0


@dataclass
class Call:
    """A message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def is_signed_with(self, secret: str) -> bool:
        seconds = int(self.headers["webhook-timestamp"])
        expected = sign(secret, self.headers["webhook-id"], seconds, self.body)
        return expected in self.headers["webhook-signature"].split()


@dataclass
class Receiver:
    """`answers` are used up one by one, each a status with headers; then 204."""

    port: int
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    silence: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def wait(self, count: int) -> list[Call]:
        """The first `count` calls, once they are here."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.calls) >= count, ANSWER_SECONDS), (
                f"{len(self.calls)} calls came, not {count}"
            )
            return self.calls[:count]


@contextmanager
def receiving(*answers: tuple[int, dict[str, str]]) -> Iterator[Receiver]:
    """Runs a receiver on the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.arrived:
                receiver.calls.append(Call(self.path, headers, body))
                status, more = receiver.answers.pop(0) if receiver.answers else (204, {})
                receiver.arrived.notify_all()
            if receiver.silence is not None:
                receiver.silence.wait(ANSWER_SECONDS)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port, list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.silence is not None:
            receiver.silence.set()
        server.shutdown()
        thread.join()
        server.server_close()
