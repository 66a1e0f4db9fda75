"""How a connection ends: with a last answer that its client can read, or with the server.

An answer made here is JSON and carries the server's headers.
"""

import asyncio
from contextlib import suppress
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from miniapm.web.encoded_answers import encode_answer
from miniapm.web.timed_protocol import BODY, IDLE, REFUSED, TimedProtocol


class EndingProtocol(TimedProtocol):
    """One connection."""

    __slots__ = ("_end_timer", "_last_answer", "_lingering", "_stopping")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._last_answer = b""
        self._lingering = False
        self._stopping = False
        self._end_timer: asyncio.TimerHandle | None = None

    def _await_rest(self) -> None:
        super()._await_rest()
        if self._stage == BODY:
            self.cycle.transport = _EarlyAnswerTransport(self, self.cycle)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Stop parsing for good and make this the connection's last answer, after those due."""
        self._cancel_arrival_timer()
        self._last_answer = self._encode_answer(status, code, message)
        due: RequestResponseCycle | None = self.cycle
        if self._stage == BODY and self.pipeline:
            self.pipeline.popleft()
            due = self.pipeline[0][0] if self.pipeline else self._active
        elif self._stage == BODY:
            self._abandon(self.cycle)
            due = None
        self._stage = REFUSED
        if due is None or due.response_complete:
            self._finish()
        else:
            due.on_response = self._finish
            self.flow.resume_reading()

    def _abandon(self, cycle: RequestResponseCycle) -> None:
        """Take a request from the app: it never runs if it has not yet, else it is told."""
        self._deferred = None
        if cycle.response_started:
            self._last_answer = b""
        if not cycle.response_complete:
            _disconnect(cycle)
        if self._task and self._run and getcoroutinestate(self._run) == CORO_CREATED:
            self._task.cancel()

    def _encode_answer(self, status: int, code: str, message: str) -> bytes:
        body = b'{"error":"%b","message":"%b"}' % (code.encode(), message.encode())
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        if status in (429, 503):
            headers.append((b"retry-after", b"5"))
        return encode_answer(status, headers, body)

    def _finish(self) -> None:
        """Send the last answer, then throw input away until the client closes or time is up.

        Closing with input unread resets the connection, which takes the answer from the client.
        """
        if self._lingering or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self.transport.write(self._last_answer)
        if self._stopping:
            self.transport.close()
            return
        self._lingering = True
        self._end_timer = self.loop.call_later(self.limits.linger_seconds, self.transport.abort)
        with suppress(OSError):  # the client may be gone already
            self.transport.write_eof()
        self.flow.resume_reading()

    def close_after(self, cycle: RequestResponseCycle) -> None:
        """Close behind a response; if its request is still arriving, without a reset."""
        if self._stage == BODY and cycle is self.cycle:
            self._cancel_arrival_timer()
            self._stage = REFUSED
            self._finish()
        elif not self._lingering:
            self.transport.close()

    def shutdown(self) -> None:
        """Close what waits for its client at once; give whole requests `drain_seconds` to end."""
        self._stopping = True
        if self._end_timer is not None:
            self._end_timer.cancel()
        self._end_timer = self.loop.call_later(self.limits.drain_seconds, self.transport.abort)
        if self._lingering:
            self.transport.close()
        elif self._stage == IDLE:
            super().shutdown()
        elif self._stage != REFUSED:
            self._refuse(503, "busy", "The server is restarting; send the request again.")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._arrival_timer, self._write_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        # uvicorn tells the newest request only; with pipelining an older one is being answered.
        if self._active is not None and not self._active.response_complete:
            _disconnect(self._active)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()


class _EarlyAnswerTransport(asyncio.Transport):
    """What an answer is written to that may be complete before its request is."""

    def __init__(self, protocol: EndingProtocol, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._protocol = protocol
        self._cycle = cycle

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.close_after(self._cycle)


def _disconnect(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()
