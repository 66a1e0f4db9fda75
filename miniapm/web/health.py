"""`/health` and `/readyz`: what a probe may know, without a key and without paths."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import SECOND
from miniapm.exceptions import MiniapmError
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.doctor.file import is_disk_full
from miniapm.storage.retention.lag import explain_lag, find_lag
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json

STALLED_SECONDS = 15.0


class Health(msgspec.Struct, frozen=True):
    """That the server runs, for how long, and whether its database answers."""

    status: Literal["ok"]
    uptime_seconds: int
    db_ok: bool


class Readiness(msgspec.Struct, frozen=True):
    """Whether work can be taken, and why not."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


def _probe(connection: Connection) -> bool:
    return bool(scalar(connection, "/* health.probe */ select 1"))


async def get_health(request: Request, caller: Caller) -> Response:
    """Says that the server runs."""
    context = caller.context
    try:
        db_ok = await context.database.read(_probe)
    except MiniapmError:
        db_ok = False
    uptime = (context.clock() - context.started_at) // SECOND
    return answer_json(Health("ok", uptime, db_ok))


async def get_readiness(request: Request, caller: Caller) -> Response:
    """Says whether work can be taken: 200, else 503 with the reasons."""
    reasons = caller.context.jobs.find_troubles()
    if caller.context.database.writer.is_closing:
        reasons.append("the server is stopping")
    if not caller.context.database.is_in_place:
        reasons.append("the database file was moved, replaced or deleted: restart the server")
    elif is_disk_full(caller.context.database.path):
        reasons.append("the disk is full")
    stalled = caller.context.database.writer.stalled_seconds
    if stalled > STALLED_SECONDS:
        reasons.append(f"nothing was written for {stalled:.0f} seconds though something waits")
    try:
        lag = await caller.context.database.read(find_lag)
    except MiniapmError:
        reasons.append("the database does not answer")
    else:
        context = caller.context
        reasons += explain_lag(lag, context.config.lifetimes, context.clock(), context.started_at)
    if reasons:
        return answer_json(Readiness("not ready", reasons), 503)
    return answer_json(Readiness("ready", []))
