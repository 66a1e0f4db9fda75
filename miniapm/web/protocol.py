"""Byte caps and deadlines below ASGI: a subclass of uvicorn's httptools protocol (exactly pinned).

What always holds: no head and no trailer grows past its cap plus one piece, no client holds a
connection for ever, and what is refused here gets an answer that its client can read.
"""

import asyncio
import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from miniapm.web.encoded_answers import AnswerEncoder
from miniapm.web.ending_protocol import EndingProtocol
from miniapm.web.ingest.calls import QuickAnswer
from miniapm.web.protocol_limits import ProtocolLimits
from miniapm.web.timed_protocol import BODY, HEAD, IDLE, REFUSED

_SMALL_CHUNK_BYTES = 256

BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

logger = logging.getLogger(__name__)


def make_protocol(
    limits: ProtocolLimits, quick: QuickAnswer | None = None
) -> type[HttpToolsProtocol]:
    """The protocol class with these limits, for `uvicorn.Config(http=..., ws="none")`.

    `quick` is asked first about each request that is there whole, and may answer without the app.
    """
    made: dict[str, Any] = {"__slots__": (), "limits": limits, "encoder": AnswerEncoder()}
    if quick is not None:
        made["quick"] = staticmethod(quick)
    return type("LimitedProtocol", (BoundedProtocol,), made)


class BoundedProtocol(EndingProtocol):
    """One connection."""

    # uvicorn's own attributes fill a shared-key dict (30 names); past that every access is slower.
    __slots__ = (
        "_discarded_bytes",
        "_header_bytes",
        "_header_count",
        "_pending_bytes",
        "_small_chunks",
        "_unread_bytes",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header_bytes = self.limits.header_bytes
        self._header_count = self.limits.header_count
        # Of the unfinished head or trailers; from below zero where a piece held other bytes too.
        self._pending_bytes = 0
        self._discarded_bytes = 0
        self._unread_bytes = 0
        self._small_chunks = 0
        self.url = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Every unsent byte pauses, so that pause_writing sees each client that does not read.
        transport.set_write_buffer_limits(high=0)
        self._arrival_timer = self.loop.call_later(self.limits.header_seconds, self._on_late)

    def data_received(self, data: bytes) -> None:
        if self._stage == REFUSED:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > self.limits.linger_bytes:
                self.transport.abort()
            return
        is_between = self._stage == IDLE
        if is_between and self._answer_known(data):
            return
        self._quick_scope = None
        for piece in (data,) if len(data) <= self._header_bytes else self._split(data):
            if self._stage == IDLE:
                self._stage = HEAD
                self._pending_bytes = 0
            try:
                self.parser.feed_data(piece)
            except HttpParserUpgrade as upgrade:
                self._feed_without_upgrade(piece, upgrade)
            except HttpParserError as error:
                self._refuse_invalid(error)
            if self._stage != IDLE or self.url:
                self._count_piece(len(piece))
                if self._stage == REFUSED:
                    return
        if self._stage != IDLE:
            if self._deferred is not None:
                self._start_app(self.cycle, self._deferred)
            if self._arrival_timer is None:
                self._await_rest()
        elif self.cycle.response_complete:
            self._await_next()  # answered before its body was in
        if is_between:
            self._learn(data)

    def _split(self, data: bytes) -> Iterable[memoryview]:
        view = memoryview(data)
        for start in range(0, len(data), self._header_bytes):
            yield view[start : start + self._header_bytes]

    def _count_piece(self, size: int) -> None:
        """Count what a piece added to a request that is still arriving, and refuse too much."""
        if self._stage == REFUSED:
            return
        if self._stage == IDLE:
            self._stage = HEAD  # begun in the same piece, behind a whole request
        self._pending_bytes += size
        fields = len(self.headers or ())
        if self._pending_bytes > self._header_bytes or fields > self._header_count:
            self._refuse_headers()

    def _feed_without_upgrade(self, piece: bytes | memoryview, upgrade: HttpParserUpgrade) -> None:
        """Parse an Upgrade as the ordinary request that it also is; llhttp would skip its body."""
        version = self.parser.get_http_version().encode()
        head = [
            b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version),
            *(b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"),
            b"\r\n",
        ]
        piece = b"".join([*head, piece[upgrade.args[0] :]])
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            # A client sends one Upgrade and waits; a second in the same piece is a flood.
            self._refuse(400, "invalid", "The connection cannot be upgraded.")
        except HttpParserError as error:
            self._refuse_invalid(error)

    def on_headers_complete(self) -> None:
        if len(self.headers) > self._header_count or (
            # Zero: the whole head was in one piece, which is never larger than the cap.
            self._pending_bytes and self._count_head_bytes() > self._header_bytes
        ):
            self._refuse_headers()
            raise HttpParserError("headers too large")
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise HttpParserError("CONNECT is not for servers")
            return
        if b"%" in self.url:
            _check_path(self.url)
        super().on_headers_complete()
        self._stage = BODY
        self._pending_bytes = -self._header_bytes
        self._unread_bytes = self._small_chunks = 0
        # Trailers go into a list that nobody reads, not into the scope that the app has by now.
        self.headers = []
        if self._arrival_timer is not None:
            self._cancel_arrival_timer()
        if self.pipeline:
            if len(self.pipeline) > self.limits.pipeline_count:
                self._refuse(429, "rate_limited", "Too many requests wait on this connection.")
                raise HttpParserError("too many pipelined requests")
            # uvicorn stops reading here, and would not see the client leave a silent stream.
            self.flow.resume_reading()

    def _count_head_bytes(self) -> int:
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._pending_bytes = -self._header_bytes
        cycle = self.cycle
        is_small = len(body) < _SMALL_CHUNK_BYTES
        if cycle.response_complete:
            self._discard(len(body), is_small)
        elif is_small and self._count_small_chunk() > self.limits.small_chunk_count:
            self._refuse(400, "invalid", "The body arrives in too many small chunks.")
            raise HttpParserError("too many small chunks")
        else:
            cycle.body += body
            unread_bytes = len(cycle.body)
            if self.pipeline:
                unread_bytes = sum(len(queued.body) for queued, _ in self.pipeline)
            if unread_bytes > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def _count_small_chunk(self) -> int:
        self._small_chunks += 1
        return self._small_chunks

    def _discard(self, size: int, is_small: bool) -> None:
        """Counts what arrives of a body that is answered, and ends it when it is too much."""
        self._unread_bytes += size
        limits = self.limits
        is_much = self._unread_bytes > limits.unread_bytes
        if is_much or (is_small and self._count_small_chunk() > limits.unread_chunk_count):
            self.close_after(self.cycle)
            raise HttpParserError("answered, and still sending")

    def on_message_complete(self) -> None:
        if self._stage != BODY:
            return  # an Upgrade, about to be fed again
        self._stage = IDLE
        self._pending_bytes = -self._header_bytes
        self.url = b""
        if self._arrival_timer is not None:
            self._cancel_arrival_timer()
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
        if self._deferred is not None:
            self._answer_quickly(cycle, self._deferred)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._await_next()

    def _refuse_headers(self) -> None:
        self._refuse(431, "headers_too_large", "The request line and headers are too large.")

    def _refuse_invalid(self, error: HttpParserError) -> None:
        if self._stage != REFUSED:
            # The reason is llhttp's or ours; the bytes that were sent are in neither.
            logger.debug("invalid HTTP: %s", error)
            self._refuse(400, "invalid", "The request is not valid HTTP.")


def _check_path(url: bytes) -> None:
    path = url.partition(b"?")[0]
    if BAD_ESCAPE.search(path):
        raise HttpParserError("bad escape in path")
    unquote_to_bytes(path).decode("utf-8")
