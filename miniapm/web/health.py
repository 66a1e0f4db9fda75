"""`/health` and `/readyz`: what a probe may know, without a key and without paths."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import SECOND
from miniapm.exceptions import MiniapmError
from miniapm.storage.connection import Connection, scalar
from miniapm.web.auth import Caller


def _probe(connection: Connection) -> bool:
    return bool(scalar(connection, "/* health.probe */ select 1"))


async def get_health(request: Request, caller: Caller) -> Response:
    context = caller.context
    try:
        db_ok = await context.database.read(_probe)
    except MiniapmError:
        db_ok = False
    uptime = (context.clock() - context.started_at) // SECOND
    return _json(200, {"status": "ok", "uptime_seconds": uptime, "db_ok": db_ok})


async def get_readiness(request: Request, caller: Caller) -> Response:
    """200 when work can be taken; else 503 with the reasons."""
    reasons = caller.context.jobs.find_troubles()
    if caller.context.database.writer.is_closing:
        reasons.append("the server is stopping")
    try:
        await caller.context.database.read(_probe)
    except MiniapmError:
        reasons.append("the database does not answer")
    if reasons:
        return _json(503, {"status": "not ready", "reasons": reasons})
    return _json(200, {"status": "ready", "reasons": []})


def _json(status: int, content: object) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
