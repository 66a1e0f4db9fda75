"""Answering whole requests without an ASGI exchange, inside uvicorn's httptools protocol.

A request that arrives in one piece is first offered to `quick`; only if that declines does the app
get it, as uvicorn would have given it. Every other request goes to the app at once. A head that
`quick` has answered is not parsed again when the same connection repeats it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from miniapm.web.encoded_answers import AnswerEncoder
from miniapm.web.ingest.calls import Answer, Pending
from miniapm.web.known_head import KnownHead, learn_head


class QuickProtocol(HttpToolsProtocol):
    """One connection. `_deferred` is the app while a request waits for the rest of its piece;
    `_quick_scope` that of a request in the present piece which was answered quickly."""

    __slots__ = ("_active", "_deferred", "_known", "_quick_scope", "_run", "_task")

    encoder: ClassVar[AnswerEncoder] = AnswerEncoder()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._active: RequestResponseCycle | None = None
        self._deferred: ASGI3Application | None = None
        self._run: Coroutine[Any, Any, None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._known: KnownHead | None = None
        self._quick_scope: Scope | None = None

    @staticmethod
    def quick(scope: Scope, body: bytes) -> Pending | None:
        """The answer that needs no app; None for all."""
        return None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.more_body:
            # most requests come whole in one piece: then it may be answered without the app
            self._active = cycle
            self._deferred = app
            self._run = self._task = None
        else:
            self._start_app(cycle, app)

    def _answer_quickly(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        scope: Scope = self.scope  # type: ignore[assignment]
        pending = self.quick(scope, bytes(cycle.body))
        if pending is None:
            self._start_app(cycle, app)
            return
        self._deferred = None
        self._quick_scope = scope
        cycle.body = bytearray()  # the cycle stays as long as the connection
        pending.future.add_done_callback(partial(self._send_quickly, cycle, pending.finish))

    def _answer_known(self, data: bytes) -> bool:
        """Answers `data` where it is a whole request with the known head, between two requests.
        False where the parser has to see it."""
        # a cycle that the app had stays the app's, which is at it for a while after its answer
        if self._known is None or self._run is not None:
            return False
        cycle = self.cycle
        if not (cycle.response_complete and cycle.keep_alive):
            return False
        body = self._known.find_body(data)
        pending = None if body is None else self.quick(self._known.scope, body)
        if pending is None:
            return False
        # the cycle that ended begins anew: what arrives or is lost meanwhile finds it as ever
        cycle.response_started = cycle.response_complete = False
        self._active = cycle
        pending.future.add_done_callback(partial(self._send_quickly, cycle, pending.finish))
        return True

    def _learn(self, data: bytes) -> None:
        """Remembers the head of `data`, if that was one request which was answered quickly."""
        if self._quick_scope is not None:
            self._known = learn_head(data, self._quick_scope)

    def _send_quickly(
        self,
        cycle: RequestResponseCycle,
        finish: "Callable[[asyncio.Future[Any]], Answer]",
        future: "asyncio.Future[Any]",
    ) -> None:
        answer = finish(future)
        if cycle.disconnected or self.transport.is_closing():
            return
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            answer = answer._replace(headers=[*answer.headers, (b"connection", b"close")])
        self.transport.write(self.encoder.encode(answer, self.server_state.default_headers))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _start_app(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._deferred = None
        self._active = cycle
        self._run = cycle.run_asgi(app)
        self._task = task = self.loop.create_task(self._run)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
