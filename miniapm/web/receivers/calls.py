"""One call of a foreign sender: its own address, methods and ways to bring a key; our way of
answering once, and of keeping what was refused."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.values import Receiver
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import MethodNotAllowed, MiniapmError
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.refusals import UNKNOWN_PROJECT
from miniapm.web.context import Context
from miniapm.web.errors import as_ours
from miniapm.web.ingest.calls import Answer, Call, ErrorAnswer, answer_error, sized
from miniapm.web.limits import Disconnected
from miniapm.web.receivers.forms import MOST_FIELDS, is_form, read_form, read_pairs


class ForeignCall(Call):
    """A call to the address of a foreign sender. `params` are the parts of the path; `query` has
    of each field the last value, `queries` all."""

    __slots__ = ("method", "params", "queries", "query", "receiver", "scheme")

    def __init__(self, context: Context, scope: Scope, receive: Receive) -> None:
        super().__init__(context, scope, receive)
        self.method: str = scope["method"]
        self.receiver: Receiver | None = None
        self.params: Mapping[str, str] = scope.get("path_params", {})
        self.scheme: str = scope.get("scheme", "http")
        query = scope["query_string"].decode("latin-1")
        self.query = read_pairs(query)
        self.queries = parse_qs(query, max_num_fields=MOST_FIELDS)

    def header(self, name: str) -> str:
        """A header, "" where it was not sent."""
        return self.headers.get(name.lower().encode(), b"").decode("latin-1").strip()

    async def read_payload(self, *, may_be_empty: bool = False) -> dict[str, Any]:
        """The body as an object: JSON, or a form where the Content-Type says so."""
        body = await self.read_body(self.context.config.limits.deploy_body_bytes)
        if may_be_empty and not body.strip():
            return {}
        kind = self.headers.get(b"content-type", b"")
        return dict(read_form(kind, body)) if is_form(kind, body) else decode_object(body)

    async def record(self, announcement: Announcement) -> Recorded:
        """Stores a deploy; returns once it is on disk."""
        context = self.context
        return await context.database.writer.submit(
            record_announcement,
            announcement,
            context.make_id(),
            context.deploy_timeout,
            None,
            size=len(self.body or b""),
        )


Handler = Callable[[ForeignCall], Awaitable[Answer]]


class ForeignRoute(NamedTuple):
    """An address of a foreign sender; `path` may have parts in braces, as Starlette writes them. A
    slash at its end makes no difference. `explain` is the shape in which its senders read errors.
    """

    method: str
    path: str
    handler: Handler
    explain: ErrorAnswer


class ForeignEndpoint:
    """The ASGI callable of one path, whatever its methods."""

    def __init__(self, context: Context, routes: Mapping[str, ForeignRoute]) -> None:
        self._context = context
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._context, scope, receive)
        any_route = next(iter(self._routes.values()))
        try:
            route = self._routes.get("GET" if scope["method"] == "HEAD" else scope["method"])
            if route is None:
                raise MethodNotAllowed(tuple(sorted(self._routes)))
            call = foreign = ForeignCall(self._context, scope, receive)
            answer = await route.handler(foreign)
        except Disconnected:
            return
        except Exception as error:
            ours = as_ours(error, scope["method"], any_route.path)
            answer = await self._refuse(call, any_route, ours)
        finally:
            call.reserved.release()
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    async def _refuse(self, call: Call, route: ForeignRoute, error: MiniapmError) -> Answer:
        if error.status < 500 and not isinstance(error, MethodNotAllowed):
            receiver = call.receiver if isinstance(call, ForeignCall) else None
            # the path as the table has it: a key may stand in the one that was sent
            await self._context.refusals.record(
                receiver.shown_path if receiver else route.path,
                call.key,
                error,
                await call.first_bytes(),
                call.headers.get(b"content-type", b""),
                receiver.project_id if receiver else UNKNOWN_PROJECT,
            )
        return answer_error(error, route.explain, self._context, call.headers)


def answer_object(status: int, value: Any) -> Answer:
    """A JSON answer."""
    body = msgspec.json.encode(value)
    return Answer(status, sized(b"application/json", body), body)


def answer_nothing(status: int) -> Answer:
    """An answer without a body."""
    return Answer(status, [(b"content-length", b"0")])
