"""Starting the sender of OTLP bodies (`bench/otlp_client.py`) and telling it what to send."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TypedDict, Unpack

import msgspec

from bench.encoding import Encoding
from bench.otlp_client import Outcome, Task
from bench.servers import ServerProcess
from bench.traces import BATCH, DAY, SECOND, find_stretch

POOL_SPANS = 60_000
LIVE_PERIOD = 2 * 3600 * SECOND


class Ready(msgspec.Struct):
    ready: bool
    spans: int
    length: int


class How(TypedDict, total=False):
    """Fields of `Task`."""

    connections: int
    spans: int
    seconds: float
    per_second: float
    gzip: bool
    again: bool


class LoadClient:
    """A sender with a pool of its own. `next` is the number of the first body not sent yet; all
    bodies of one client are different, and its event times fill the day before now at the density
    of `spans_a_day`."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", ready: Ready, spans_a_day: int, begin: int
    ) -> None:
        self._process = process
        self.run_name = token_hex(8)
        self.begin = begin
        self.stretch = find_stretch(ready.spans, ready.length, spans_a_day, DAY)
        self.next = 0

    def send(self, server: ServerProcess, key: str, **how: Unpack[How]) -> Outcome:
        """Sends so many spans, or for so many seconds, and waits for the end."""
        self.begin_sending(server, key, **how)
        return self.wait()

    def begin_sending(self, server: ServerProcess, key: str, **how: Unpack[How]) -> None:
        """Sends until `stop`, or until `wait` finds that it is done."""
        host, _, port = server.address.removeprefix("http://").rpartition(":")
        task = Task(
            host=host,
            port=int(port),
            key=key,
            run=self.run_name,
            begin=self.begin,
            stretch=self.stretch,
            first=self.next,
            **how,
        )
        self._write(msgspec.json.encode(task))

    def stop(self) -> Outcome:
        """Ends what was begun."""
        self._write(b"")
        return self.wait()

    def wait(self) -> Outcome:
        assert self._process.stdout is not None
        outcome = msgspec.json.decode(self._process.stdout.readline(), type=Outcome)
        self.next = outcome.next
        return outcome

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()


@contextmanager
def start_client(
    *,
    encoding: Encoding = "protobuf",
    batch: int = BATCH,
    pool_spans: int = POOL_SPANS,
    spans_a_day: int = 10_000_000,
    begin: int | None = None,
) -> Iterator[LoadClient]:
    """A client whose first span begins at `begin` (ns), a day ago unless given."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.otlp_client", encoding, str(batch), str(pool_spans)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = msgspec.json.decode(process.stdout.readline(), type=Ready)
        start = time.time_ns() - DAY if begin is None else begin
        yield LoadClient(process, ready, spans_a_day, start)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


@contextmanager
def start_live_client(
    *, encoding: Encoding = "protobuf", batch: int = BATCH
) -> Iterator[LoadClient]:
    """A client whose spans are of some minutes ago, as dense as its processes make them."""
    begin = time.time_ns() - LIVE_PERIOD
    with start_client(encoding=encoding, batch=batch, begin=begin) as client:
        client.stretch = 1
        yield client
