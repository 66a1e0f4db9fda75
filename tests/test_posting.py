"""Posting to an address that somebody chose: what is sent, and what is never connected to."""

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from miniapm.clock import SECOND
from miniapm.domain.webhooks.attempts import Answered, Outcome, Unreached
from miniapm.domain.webhooks.targets import Target, parse_target
from miniapm.posting import post
from tests.factories import START
from tests.receiver import receiving


def send(
    target: Target | str,
    *,
    allow_private: bool = True,
    seconds: float = 10.0,
    trust: ssl.SSLContext | None = None,
) -> Outcome:
    return asyncio.run(
        post(
            parse_target(target) if isinstance(target, str) else target,
            {"webhook-id": "msg_1"},
            b'{"a": 1}',
            START,
            allow_private=allow_private,
            seconds=seconds,
            trust=trust,
        )
    )


@contextmanager
def listening(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port where `answer` is all that whoever connects gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError), _secure(connection, tls) as one:
                one.recv(65536)
                one.sendall(answer)
                if not answer:
                    one.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _secure(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return connection if tls is None else tls.wrap_socket(connection, server_side=True)


def test_what_is_sent_arrives() -> None:
    with receiving((202, {})) as receiver:
        assert send(f"{receiver.url}/a?b=c") == Answered(202)
        [call] = receiver.calls
    assert (call.path, call.body) == ("/hook/a?b=c", b'{"a": 1}')
    assert call.headers["webhook-id"] == "msg_1"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["connection"] == "close"


def test_a_private_address_is_never_connected_to() -> None:
    with receiving() as receiver:
        outcome = send(receiver.url, allow_private=False)
        assert isinstance(outcome, Unreached)
        assert "127.0.0.1, which is private" in outcome.reason
        assert receiver.calls == []


def test_a_name_is_judged_by_its_addresses() -> None:
    with receiving() as receiver:
        target = Target("http", "localhost", receiver.port, "/")
        outcome = send(target, allow_private=False)
        assert isinstance(outcome, Unreached)
        assert "localhost leads to" in outcome.reason
        assert receiver.calls == []
        assert send(target) == Answered(204)


@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_is_never_reached(allow_private: bool) -> None:
    outcome = send("http://169.254.169.254/latest", allow_private=allow_private)
    assert isinstance(outcome, Unreached)
    assert "no webhook may reach" in outcome.reason


def test_what_a_resolver_makes_of_odd_numbers_is_judged_too() -> None:
    """`parse_target` refuses these; were it not to, the address counts."""
    outcome = send(Target("http", "2130706433", 80, "/"), allow_private=False)
    assert isinstance(outcome, Unreached)
    assert "leads to 127.0.0.1" in outcome.reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with receiving() as other, receiving((status, {"location": other.url})) as receiver:
        assert send(receiver.url) == Answered(status)
        assert (len(receiver.calls), other.calls) == (1, [])


def test_retry_after_is_read() -> None:
    with receiving((429, {"retry-after": "7"}), (503, {"Retry-After": "nonsense"})) as receiver:
        assert send(receiver.url) == Answered(429, 7 * SECOND)
        assert send(receiver.url) == Answered(503)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Answered(200)),
        (b"HTTP/1.0 200\r\n\r\n", Answered(200)),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, Answered(200)),
        (b"", Unreached("no answer within 0.3 s")),
        (b"HTTP/1.1 200 OK\r\n", Unreached("the connection was closed before an answer")),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unreached("it does not speak HTTP")),
        (b"HTTP/1.1 999999 x\r\n\r\n", Unreached("it does not speak HTTP")),
        (b"HTTP/1.1 100 x\r\n\r\n" * 50, Unreached("it does not speak HTTP")),
        (
            b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
            Unreached("the head of the answer is too long"),
        ),
    ],
)
def test_strange_answers(answer: bytes, expected: Outcome) -> None:
    with listening(answer) as port:
        assert send(f"http://127.0.0.1:{port}/", seconds=10.0 if answer else 0.3) == expected


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/") == Unreached(f"127.0.0.1:{port} refuses connections")
    outcome = send("http://nothing.invalid/")
    assert outcome == Unreached("the name nothing.invalid has no address")


@pytest.fixture
def certificate(tmp_path: Path, program: Callable[[str], str]) -> Path:
    """A certificate of `localhost`, with its key."""
    path = tmp_path / "localhost.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([program("openssl"), *command.split(), *names], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_tls_checks_the_name_that_was_asked_for(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=f"{certificate}.crt")
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with listening(answer, tls) as port:
        assert send(Target("https", "localhost", port, "/"), trust=trust) == Answered(204)
    with listening(answer, tls) as port:
        outcome = send(Target("https", "127.0.0.1", port, "/"), trust=trust)
    assert isinstance(outcome, Unreached)
    assert "is not trusted" in outcome.reason
    with listening(answer, tls) as port:
        outcome = send(Target("https", "localhost", port, "/"))
    assert isinstance(outcome, Unreached)
    assert "is not trusted" in outcome.reason
    with listening(answer) as port:
        outcome = send(Target("https", "localhost", port, "/"))
    assert isinstance(outcome, Unreached)
    assert "does not speak TLS" in outcome.reason
