"""The sender of OTLP bodies: a process of its own, plain sockets, little processor time.

`python -m bench.otlp_client ENCODING BATCH SPANS` makes its pool, says `{"ready": true}`, and then
takes one task (`Task`) a line on stdin and answers with one `Outcome` a line on stdout. A line that
arrives during a task ends it. `bench/load.py` is the other side of it.
"""

import gzip
import heapq
import resource
import selectors
import socket
import sys
import time
from collections import Counter, deque
from typing import BinaryIO

import msgspec

from bench.encoding import CONTENT_TYPES, Encoding
from bench.figures import percentile
from bench.traces import Bodies, Pool, make_pool

_BUFFER = 1024 * 1024
_GIVE_UP_SECONDS = 30.0


class Task(msgspec.Struct, kw_only=True):
    """What to send. `spans` and `seconds` bound it; `per_second` sends bodies at that rate whatever
    comes back, else each connection sends as soon as it has its answer. Refused bodies are sent
    again after Retry-After when `again`. `first` is the number of the first body."""

    host: str
    port: int
    key: str
    run: str
    begin: int
    stretch: int
    connections: int = 4
    path: str = "/v1/traces"
    first: int = 0
    spans: int = 0
    seconds: float = 0.0
    per_second: float = 0.0
    gzip: bool = False
    again: bool = True


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a task. Latencies of acknowledged bodies in ms; `spans` and `bodies` count
    acknowledged ones (`partial` of these not wholly taken), `next` is the number of the first body
    that was not sent. `late` bodies were due when no connection was free."""

    spans: int
    bodies: int
    next: int
    seconds: float
    cpu_seconds: float
    p50: float
    p99: float
    worst: float
    statuses: dict[int, int]
    partial: int
    without_retry_after: int
    dropped: int
    late: int
    accepted: list[int]


class _Sending(msgspec.Struct, kw_only=True):
    """A connection and what it is at."""

    socket: socket.socket
    number: int = -1
    began: float = 0.0
    unsent: memoryview = memoryview(b"")
    answer: bytes = b""


class _Run:
    """One task under way."""

    def __init__(self, task: Task, pool: Pool, lines: BinaryIO) -> None:
        self._task, self._pool, self._lines = task, pool, lines
        self._bodies = Bodies(pool, task.run, task.begin, task.stretch)
        self._head = (
            f"POST {task.path} HTTP/1.1\r\nHost: {task.host}\r\n"
            f"Authorization: Bearer {task.key}\r\n"
            f"Content-Type: {CONTENT_TYPES[pool.encoding]}\r\n"
            + ("Content-Encoding: gzip\r\n" if task.gzip else "")
        ).encode()
        self._selector = selectors.DefaultSelector()
        self._idle: deque[_Sending] = deque()
        self._open = 0
        self._next = task.first
        self._planned = 0
        self._again: list[tuple[float, int]] = []
        self._prepared: dict[int, bytes] = {}
        self._latencies: list[float] = []
        self._accepted: list[int] = []
        self._statuses: Counter[int] = Counter()
        self._partial = self._without_retry_after = self._dropped = self._late = 0
        self._stopped = False
        self._progress = 0.0

    def run(self) -> Outcome:
        task = self._task
        if task.gzip and task.spans:
            self._prepare()
        for _ in range(task.connections):
            self._connect()
        self._selector.register(self._lines, selectors.EVENT_READ, None)
        cpu, began = _cpu_seconds(), time.perf_counter()
        self._progress = began
        self._send_all(began)
        ended = time.perf_counter()
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                key.data.socket.close()
        self._selector.close()
        return Outcome(
            spans=sum(self._spans_of(number) for number in self._accepted),
            bodies=len(self._accepted),
            next=self._next,
            seconds=ended - began,
            cpu_seconds=_cpu_seconds() - cpu,
            p50=percentile(self._latencies, 0.5) if self._latencies else 0.0,
            p99=percentile(self._latencies, 0.99) if self._latencies else 0.0,
            worst=max(self._latencies, default=0.0),
            statuses=dict(self._statuses),
            partial=self._partial,
            without_retry_after=self._without_retry_after,
            dropped=self._dropped,
            late=self._late,
            accepted=self._accepted,
        )

    def _prepare(self) -> None:
        """Compressing costs the sender more than the server: done before the clock runs."""
        planned, number = 0, self._next
        while planned < self._task.spans:
            self._prepared[number] = self._make(number)
            planned += self._spans_of(number)
            number += 1

    def _spans_of(self, number: int) -> int:
        return self._pool.templates[number % len(self._pool.templates)].spans

    def _send_all(self, began: float) -> None:
        task = self._task
        while True:
            now = time.perf_counter()
            due = self._next - task.first < (now - began) * task.per_second
            while self._idle and (number := self._take(now, began, due)) is not None:
                self._begin(self._idle.popleft(), number)
                due = self._next - task.first < (now - began) * task.per_second
            if task.per_second and due and not self._idle:
                # nobody is free to send what is due: it counts as sent by nobody
                self._late += 1
                self._next += 1
            if self._is_over(now, began):
                return
            if now - self._progress > _GIVE_UP_SECONDS:
                raise RuntimeError(f"nothing is taken any more: {dict(self._statuses)}")
            wait = 0.0005 if task.per_second else 0.02
            if self._make_ahead(now, began):
                wait = 0
            for key, events in self._selector.select(wait):
                if key.data is None:
                    self._lines.readline()
                    self._stopped = True
                    continue
                if events & selectors.EVENT_WRITE:
                    self._write(key.data)
                if events & selectors.EVENT_READ:
                    self._read(key.data)

    def _take(self, now: float, began: float, due: bool) -> int | None:
        """The number of the next body to send, if there is one to send now."""
        if self._again and self._again[0][0] <= now:
            return heapq.heappop(self._again)[1]
        if self._is_planned(now, began) or (self._task.per_second and not due):
            return None
        number = self._next
        self._next += 1
        self._planned += self._spans_of(number)
        return number

    def _make_ahead(self, now: float, began: float) -> bool:
        """Makes one of the bodies to be sent next, where one is left to make: an answer must not
        wait for it, for what is measured is the server."""
        if self._task.per_second or self._is_planned(now, began):
            return False
        for number in range(self._next, self._next + self._open):
            if number not in self._prepared:
                self._prepared[number] = self._make(number)
                return True
        return False

    def _make(self, number: int) -> bytes:
        body = self._bodies.make(number)
        return gzip.compress(body, 6) if self._task.gzip else body

    def _is_planned(self, now: float, began: float) -> bool:
        """Whether nothing new is to be sent."""
        task = self._task
        return (
            self._stopped
            or (task.spans > 0 and self._planned >= task.spans)
            or (task.seconds > 0 and now - began >= task.seconds)
        )

    def _is_over(self, now: float, began: float) -> bool:
        if not self._is_planned(now, began):
            return False
        return len(self._idle) == self._open and not self._again

    def _connect(self) -> None:
        connection = socket.create_connection((self._task.host, self._task.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        connection.setblocking(False)
        sending = _Sending(socket=connection)
        self._selector.register(connection, selectors.EVENT_READ, sending)
        self._idle.append(sending)
        self._open += 1

    def _begin(self, sending: _Sending, number: int) -> None:
        body = self._prepared.pop(number, None) or self._make(number)
        sending.number, sending.began = number, time.perf_counter()
        sending.answer = b""
        message = b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        sending.unsent = memoryview(message)
        self._write(sending)
        if sending.unsent:
            self._selector.modify(
                sending.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, sending
            )

    def _write(self, sending: _Sending) -> None:
        if not sending.unsent:
            return
        try:
            sending.unsent = sending.unsent[sending.socket.send(sending.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            # the answer may have come before the end of the request: `_read` sees to it
            sending.unsent = memoryview(b"")
        if not sending.unsent:
            self._selector.modify(sending.socket, selectors.EVENT_READ, sending)

    def _read(self, sending: _Sending) -> None:
        try:
            received = sending.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        sending.answer += received
        head, found, rest = sending.answer.partition(b"\r\n\r\n")
        head = head.lower()
        if found and len(rest) >= _content_length(head):
            self._note(sending, head)
            if sending.unsent or not received or b"connection: close" in head:
                self._reconnect(sending)
            else:
                self._idle.append(sending)
        elif not received:
            if sending.number >= 0:
                self._dropped += 1
                self._put_back(sending.number, 0.1)
            else:
                self._idle.remove(sending)
            self._reconnect(sending)

    def _note(self, sending: _Sending, head: bytes) -> None:
        now = time.perf_counter()
        status = int(head[9:12])
        self._statuses[status] += 1
        if status == 200:
            self._latencies.append((now - sending.began) * 1000)
            self._accepted.append(sending.number)
            self._progress = now
            # an answer of some length tells what was not taken: `{}` and nothing do not
            self._partial += _content_length(head) > 2
        elif status in (429, 502, 503, 504):
            wait = _header(head, b"retry-after")
            self._without_retry_after += not wait
            self._put_back(sending.number, float(wait or 1))
        sending.number = -1

    def _put_back(self, number: int, wait: float) -> None:
        if self._task.again:
            heapq.heappush(self._again, (time.perf_counter() + wait, number))

    def _reconnect(self, sending: _Sending) -> None:
        self._selector.unregister(sending.socket)
        sending.socket.close()
        self._open -= 1
        self._connect()


def _content_length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


def _header(head: bytes, name: bytes) -> bytes:
    """A header's value in an already lower-case head; empty when it is not there."""
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.split(b"\r\n", 1)[0].strip() if found else b""


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _answer_tasks(pool: Pool) -> None:
    """Takes tasks until stdin is closed."""
    # without a buffer, for a line in it would not wake the selector
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:
        for line in iter(lines.readline, b""):
            if line.strip():
                task = msgspec.json.decode(line, type=Task)
                _write_line(msgspec.json.encode(_Run(task, pool, lines).run()))


def _write_line(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    encoding: Encoding = "json" if sys.argv[1] == "json" else "protobuf"
    made = make_pool(encoding=encoding, batch=int(sys.argv[2]), spans=int(sys.argv[3]))
    _write_line(msgspec.json.encode({"ready": True, "spans": made.spans, "length": made.length}))
    _answer_tasks(made)
