"""The sender of the benches sends what it says, and counts what comes back."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from bench.encoding import Encoding
from bench.load import start_client
from bench.servers import ServerProcess, serve_miniapm
from bench.stored import count_spans, find_rollup_mistakes, wait_for_rollups

BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\nno"
SILENT = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
PARTIAL = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[ServerProcess]:
    """A server that gives these answers, one to each request; an empty one drops the connection."""

    def serve() -> None:
        waiting = list(answers)
        while waiting:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                while waiting and _read_request(lines):
                    answer = waiting.pop(0)
                    if not answer:
                        break
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield ServerProcess(address, 0, Path(), 0.0)
        thread.join(10)


def _read_request(lines: BinaryIO) -> bool:
    """Whether there was one, whole."""
    size = 0
    for line in iter(lines.readline, b""):
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
        if line == b"\r\n":
            return len(lines.read(size)) == size
    return False


def test_refused_and_dropped_bodies_are_sent_again() -> None:
    with answering(BUSY, b"", OK, OK) as server, start_client(batch=16, pool_spans=96) as client:
        outcome = client.send(server, "key", connections=1, spans=32)
    assert outcome.statuses == {503: 1, 200: 2}
    assert (outcome.bodies, outcome.spans, outcome.dropped) == (2, 32, 1)
    assert sorted(outcome.accepted) == [0, 1]
    assert outcome.without_retry_after == 0


def test_refusals_without_retry_after_and_partial_success_are_counted() -> None:
    with answering(SILENT, PARTIAL) as server, start_client(batch=16, pool_spans=96) as client:
        outcome = client.send(server, "key", connections=1, spans=32, again=False)
    assert outcome.statuses == {503: 1, 200: 1}
    assert (outcome.without_retry_after, outcome.partial, outcome.spans) == (1, 1, 16)


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "gzip"), [("protobuf", True), ("json", False)])
def test_what_is_acknowledged_is_stored(tmp_path: Path, encoding: Encoding, gzip: bool) -> None:
    with (
        serve_miniapm(tmp_path) as server,
        start_client(encoding=encoding, batch=64, pool_spans=768) as client,
    ):
        key = server.run("keys", "create", "load")
        first = client.send(server, key, spans=1_000, gzip=gzip)
        client.begin_sending(server, key, connections=2)
        second = client.stop()
        wait_for_rollups(tmp_path)
    assert set(first.statuses) | set(second.statuses) == {200}
    assert first.spans == 1_024
    assert first.partial == second.partial == 0
    assert count_spans(tmp_path) == first.spans + second.spans
    assert find_rollup_mistakes(tmp_path) == 0
    with closing(sqlite3.connect(tmp_path / "miniapm.db")) as database, database:
        database.execute("delete from entries where id = (select max(id) from entries)")
    # at each resolution, of the endpoint and of all together
    assert find_rollup_mistakes(tmp_path) == 6
