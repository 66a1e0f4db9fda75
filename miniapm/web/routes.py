"""Every URL in one table, with the scope or role that it needs."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.keys import DEPLOYS_WRITE
from miniapm.web.auth import PUBLIC, Access, Caller
from miniapm.web.health import get_health, get_readiness
from miniapm.web.ingest.calls import ErrorAnswer, Handler
from miniapm.web.ingest.deploys import (
    explain_as_json,
    explain_as_text,
    post_deploy,
    post_deployment,
)
from miniapm.web.pages import timeline

Endpoint = Callable[[Request, Caller], Awaitable[Response]]


class IngestRoute(NamedTuple):
    """An address that senders post to; served ahead of Starlette's routing."""

    path: str
    handler: Handler
    scope: str
    explain: ErrorAnswer


class Route(NamedTuple):
    """A page or an API address. A GET answers HEAD as well."""

    method: str
    path: str
    endpoint: Endpoint
    access: Access


VIEWER = Access(role="viewer")
MEMBER = Access(role="member")
ADMIN = Access(role="admin")

INGEST_ROUTES = (
    IngestRoute("/ingest/deploys", post_deploy, DEPLOYS_WRITE, explain_as_json),
    IngestRoute("/deployments", post_deployment, DEPLOYS_WRITE, explain_as_text),
)

ROUTES = (
    Route("GET", "/health", get_health, PUBLIC),
    Route("GET", "/readyz", get_readiness, PUBLIC),
    Route("GET", "/p/{slug}/deploys", timeline.get_timeline, VIEWER),
)
