"""One ingest call, below Starlette: plain ASGI in, one prepared answer out, refusals kept.

Ingest addresses skip Starlette's routing and its request objects: twice the rate.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send

from miniapm.domain.authorization import read_secret
from miniapm.domain.keys import Key
from miniapm.exceptions import Invalid, MethodNotAllowed, MiniapmError
from miniapm.storage.budget import Reservation
from miniapm.web.context import Context
from miniapm.web.errors import Headers, as_ours, error_headers
from miniapm.web.limits import Disconnected, inflate, inflate_beginning, read_body
from miniapm.web.refusals import READ_BODY_BYTES

_UNREAD_BODY_SECONDS = 0.2


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes = b""


class Pending(NamedTuple):
    """An answer that waits for a commit: `finish` makes it of the future once that is done."""

    future: "asyncio.Future[Any]"
    finish: Callable[["asyncio.Future[Any]"], Answer]


# what may be answered without an ASGI exchange: None where it takes one after all
QuickWay = Callable[[Context, Scope, bytes], Pending | None]
QuickAnswer = Callable[[Scope, bytes], Pending | None]


class Call:
    """A POST to an ingest address."""

    __slots__ = (
        "_receive", "body", "context", "headers", "key", "refused_part", "reserved", "size",
    )  # fmt: skip

    def __init__(self, context: Context, scope: Scope, receive: Receive) -> None:
        self.context = context
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self.key: Key | None = None
        self.body: bytes | None = None
        self.size = 0
        self.reserved = Reservation(context.budget)
        # what was wrong with a part of the body, where the rest is stored: kept as a refusal is
        self.refused_part: Invalid | None = None

    async def authorise(self, *scopes: str) -> Key:
        """The caller's key, which has one of `scopes`. The key comes as `Bearer`, or raw."""
        return await self.authorise_by(self._secret(), *scopes)

    async def authorise_by(self, secret: str, *scopes: str) -> Key:
        """The key with this secret, which has one of `scopes`."""
        keyring = self.context.keyring
        # kept before it is judged: a refusal belongs to the project of its key
        self.key = key = await keyring.find(secret)
        keyring.use(key)
        key.refuse_without(*scopes)
        return key

    def _secret(self) -> str:
        return read_secret(self.headers.get(b"authorization", b"").decode("latin-1"))

    async def read_body(self, limit: int) -> bytes:
        """The body, inflated; TooLarge past `limit` bytes, sent or inflated."""
        body = await self.read_raw(limit)
        encoding = self.headers.get(b"content-encoding", b"")
        self.body = body = inflate(body, encoding, limit) if encoding else body
        return body

    async def read_raw(self, limit: int) -> bytes:
        """The body as it was sent. Busy when there is no room for it."""
        body = await read_body(
            self._receive, limit, self.headers.get(b"content-length"), self.reserved
        )
        self.body = body
        return body

    def drop_body(self) -> None:
        """Keeps only what a refusal tells of the body; all of it would be held until the commit."""
        if self.body is not None:
            self.size = len(self.body)
            self.body = self.body[:READ_BODY_BYTES]

    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` header; Invalid when it cannot be one."""
        value = self.headers.get(b"idempotency-key")
        if value is None:
            return None
        text = value.decode("latin-1").strip()
        if not 0 < len(text) <= 255 or not text.isprintable():
            raise Invalid(
                "The Idempotency-Key header must be 1 to 255 printable characters.",
                {"Idempotency-Key": "must be 1 to 255 printable characters"},
            )
        return text

    async def first_bytes(self) -> bytes:
        """What is there of the body, for a refusal that came before it was read."""
        if self.body is not None:
            return self.body
        try:
            message = await asyncio.wait_for(self._receive(), _UNREAD_BODY_SECONDS)
        except TimeoutError:
            return b""
        body: bytes = message.get("body", b"")
        return body


Handler = Callable[[Call], Awaitable[Answer]]
RequestHeaders = Mapping[bytes, bytes]
ErrorAnswer = Callable[[MiniapmError, Context, RequestHeaders], Answer]


class IngestEndpoint:
    """The ASGI callable of one ingest address."""

    def __init__(
        self, context: Context, route: str, handler: Handler, explain: ErrorAnswer
    ) -> None:
        self._context = context
        self._route = route
        self._handler = handler
        self._explain = explain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._context, scope, receive)
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(("POST",))
            answer = await self._handler(call)
            if call.refused_part is not None:
                await self._keep(call, call.refused_part)
        except Disconnected:
            return
        except Exception as error:
            answer = await self._refuse(call, as_ours(error, scope["method"], scope["path"]))
        finally:
            call.reserved.release()
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _keep(self, call: Call, error: MiniapmError) -> None:
        body = await call.first_bytes()
        if call.headers.get(b"content-encoding"):
            body = inflate_beginning(body, READ_BODY_BYTES)
        content_type = call.headers.get(b"content-type", b"")
        await self._context.refusals.record(
            self._route, call.key, error, body, content_type, size=call.size
        )

    async def _refuse(self, call: Call, error: MiniapmError) -> Answer:
        if error.status < 500 and not isinstance(error, MethodNotAllowed):
            await self._keep(call, error)
        return answer_error(error, self._explain, self._context, call.headers)


def answer_error(
    error: MiniapmError, explain: ErrorAnswer, context: Context, headers: RequestHeaders
) -> Answer:
    """The answer with `error` in its family's words, and the headers that every family carries."""
    answer = explain(error, context, headers)
    return answer._replace(headers=[*answer.headers, *error_headers(error)])


def sized(content_type: bytes, body: bytes) -> Headers:
    """The headers of a short answer."""
    return ((b"content-type", content_type), (b"content-length", str(len(body)).encode()))
