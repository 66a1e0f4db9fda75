"""Routes to ASGI: ingest addresses first, then Starlette for pages and the API.

Each endpoint is guarded here: who may is decided before it runs, and whatever it raises becomes an
answer.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from miniapm.exceptions import MethodNotAllowed, MiniapmError, NotFound, Unauthorized
from miniapm.web.auth import Caller, find_visitor, identify, sign_in_page
from miniapm.web.context import Context
from miniapm.web.errors import as_ours, error_headers, error_json
from miniapm.web.forms import local_path
from miniapm.web.ingest.calls import Answer, Call, IngestEndpoint, Pending
from miniapm.web.ingest.missed import MissedAddress, is_sender
from miniapm.web.limits import Disconnected
from miniapm.web.receivers.calls import ForeignEndpoint, ForeignRoute
from miniapm.web.receivers.routes import FOREIGN_ROUTES
from miniapm.web.render import render
from miniapm.web.routes import INGEST_ROUTES, ROUTES, Route

# what is below these fails as JSON; the rest are pages
_JSON_PREFIXES = ("/api/", "/ingest", "/health", "/readyz", "/hooks/")


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What a person is told instead of a page."""

    status: int
    message: str
    advice: str = ""


class Site:
    """The ASGI application."""

    def __init__(self, context: Context) -> None:
        self._ingest: dict[str, ASGIApp] = {
            route.path: IngestEndpoint(context, route.path, route.handler, route.explain)
            for route in INGEST_ROUTES
        }
        self._quick = {route.path: route.quick for route in INGEST_ROUTES if route.quick}
        self._context = context
        self._pages = _build_pages(context)

    def answer_quickly(self, scope: Scope, body: bytes) -> Pending | None:
        """The answer to a whole request that needs no ASGI exchange; None for all others."""
        quick = self._quick.get(scope["path"])
        return None if quick is None else quick(self._context, scope, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            endpoint = self._ingest.get(path)
            if endpoint is None and (path.startswith("//") or path.endswith("/")):
                # a base address with a slash at its end, joined to ours; or one at our own end
                endpoint = self._ingest.get("/" + path.strip("/"))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await self._pages(scope, receive, send)


def _build_pages(context: Context) -> Starlette:
    by_path: dict[str, list[Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, []).append(route)
    foreign = _group_foreign()
    pages = [
        _build_route(context, path, group, foreign.get(path, {})) for path, group in by_path.items()
    ]
    shared: list[StarletteRoute] = []
    others: list[StarletteRoute] = []
    for path, by_method in foreign.items():
        is_shared = path in by_path
        built = _build_foreign(context, path, by_method, is_shared=is_shared)
        (shared if is_shared else others).extend(built)
    routes = [*shared, *pages, *others]
    missed = MissedAddress([route.path for route in INGEST_ROUTES])

    async def explain(request: Request, error: Exception) -> Response:
        if (target := _without_slash(request)) is not None:
            return RedirectResponse(target, 307)
        if isinstance(error, HTTPException) and error.status_code != 404:
            return await _explain(request, Caller(context), NotFound(error.detail))
        call = Call(context, request.scope, request.receive)
        is_ingest = request.scope["path"].startswith("/ingest")
        if is_ingest or is_sender(request.method, call.headers):
            return _as_response(await missed.answer(call, request.scope))
        ours = NotFound("There is nothing at this address.")
        return await _explain(request, Caller(context), ours)

    site = Starlette(routes=routes, exception_handlers={HTTPException: explain})
    # Starlette's own redirect leads to whatever host the request names
    site.router.redirect_slashes = False
    return site


def _as_response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


def _without_slash(request: Request) -> str | None:
    """Where a person goes who asks for a path that ends in a slash, when nothing is there."""
    path: str = request.scope["raw_path"].decode("latin-1")
    if request.method not in ("GET", "HEAD") or not path.endswith("/") or _is_json(request):
        return None
    query: str = request.scope["query_string"].decode("latin-1")
    return local_path(path.rstrip("/") + (f"?{query}" if query else ""), "") or None


def _build_route(
    context: Context, path: str, group: Iterable[Route], others: Iterable[str]
) -> StarletteRoute:
    """`others` are methods at this address that are no page's."""
    by_method = {route.method: route for route in group}
    if "GET" in by_method:
        by_method.setdefault("HEAD", by_method["GET"])

    async def endpoint(request: Request) -> Response:
        caller = Caller(context)
        route = by_method.get(request.method)
        try:
            if route is None:
                raise MethodNotAllowed(tuple(sorted({*by_method, *others})))
            with nullcontext() if route.may_wait else _go_first(request, context):
                caller = await identify(request, context, route.access)
                return await route.endpoint(request, caller)
        except Disconnected:
            return Response(status_code=400)
        except Exception as error:
            return await _explain(request, caller, as_ours(error, request.method, path))

    every_method = StarletteRoute(path, endpoint)
    every_method.methods = None
    return every_method


def _group_foreign() -> dict[str, dict[str, ForeignRoute]]:
    by_path: dict[str, dict[str, ForeignRoute]] = {}
    for route in FOREIGN_ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    return by_path


def _build_foreign(
    context: Context, path: str, by_method: Mapping[str, ForeignRoute], *, is_shared: bool
) -> list[StarletteRoute]:
    """The routes of one address; of its own methods alone where it is a page's, too."""
    endpoint = ForeignEndpoint(context, by_method)
    if is_shared:
        return [StarletteRoute(path, endpoint, methods=list(by_method))]
    return [StarletteRoute(address, endpoint) for address in (path, f"{path}/")]


def _go_first(request: Request, context: Context) -> AbstractContextManager[None]:
    """Reading goes before what senders send; what writes must wait for them anyway."""
    if request.method in ("GET", "HEAD"):
        return context.database.precedence.hold()
    return nullcontext()


def _is_json(request: Request) -> bool:
    path: str = request.scope["path"]
    return path.startswith(_JSON_PREFIXES)


async def _explain(request: Request, caller: Caller, error: MiniapmError) -> Response:
    is_page = not _is_json(request)
    if is_page and isinstance(error, Unauthorized):
        return sign_in_page(request)
    if is_page:
        if caller.user is None:
            caller = await find_visitor(request, caller.context)
        advice = error.advice if isinstance(error, NotFound) else ""
        view = ErrorView(error.status, error.message, advice)
        response = render(request, caller, "error.html", view, error.status)
    else:
        response = Response(error_json(error), error.status, media_type="application/json")
    for name, value in error_headers(error):
        response.headers[name.decode()] = value.decode()
    return response
