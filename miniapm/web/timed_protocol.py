"""The deadlines of a connection: for heads and bodies to arrive, for answers to be taken, and for
the next request to come."""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from miniapm.web.protocol_limits import ProtocolLimits
from miniapm.web.quick_protocol import QuickProtocol

# What a connection reads: nothing yet, a request's head, its body, or input to throw away.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
REFUSED: Final = 3


class TimedProtocol(QuickProtocol):
    """One connection. A timer is armed only for what is still missing after the bytes at hand."""

    __slots__ = ("_arrival_timer", "_idle_since", "_stage", "_write_timer")

    limits: ClassVar[ProtocolLimits]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._stage = IDLE
        self._idle_since = 0.0
        self._arrival_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Makes this the connection's last answer."""
        raise NotImplementedError

    def _await_next(self) -> None:
        # One timer that looks at the clock is cheaper than one made and cancelled per request.
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._stage != IDLE or not self.cycle.response_complete:
            return
        seconds_left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if seconds_left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(
                seconds_left, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()

    def _await_rest(self) -> None:
        limits = self.limits
        seconds = limits.header_seconds if self._stage == HEAD else limits.body_seconds
        self._arrival_timer = self.loop.call_later(seconds, self._on_late)

    def _cancel_arrival_timer(self) -> None:
        if self._arrival_timer is not None:
            self._arrival_timer.cancel()
            self._arrival_timer = None

    def _on_late(self) -> None:
        if self._stage == IDLE:
            self.transport.close()
        else:
            part = "headers" if self._stage == HEAD else "body"
            self._refuse(408, "request_timeout", f"The request's {part} took too long to arrive.")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_writing()

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def _await_writing(self) -> None:
        unsent_bytes = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(
            self.limits.write_seconds, self._check_writing, unsent_bytes
        )

    def _check_writing(self, unsent_bytes: int) -> None:
        if self.transport.get_write_buffer_size() < unsent_bytes:
            self._await_writing()
        else:
            self.transport.abort()
