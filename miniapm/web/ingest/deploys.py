"""`POST /ingest/deploys` and `POST /deployments`: answered once the deploy is on disk."""

import hashlib

from miniapm.domain.deploys.deployments import parse_deployment
from miniapm.domain.deploys.reading import Defaults, parse_deploy
from miniapm.domain.deploys.values import DEFAULT_ENV, Announcement
from miniapm.domain.keys import DEPLOYS_WRITE, Key
from miniapm.exceptions import Forbidden, MiniapmError, Unauthorized
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.deploys.replays import Replay
from miniapm.web.context import Context
from miniapm.web.errors import Internal, error_json
from miniapm.web.ingest.calls import Answer, Call, RequestHeaders, sized

_CREATED = b"Created successfully"
_EMPTY = (b"content-length", b"0")


async def post_deploy(call: Call) -> Answer:
    """202 without a body; `Location` is the deploy's page."""
    key = await call.authorise(DEPLOYS_WRITE)
    body = await call.read_body(call.context.config.limits.deploy_body_bytes)
    replay = _find_replay(call, "/ingest/deploys", body)
    announcement = parse_deploy(
        body, defaults_of(key), call.context.clock(), stands_alone=replay is not None
    )
    return accepted(key, await _record(call.context, announcement, replay, len(body)))


async def post_deployment(call: Call) -> Answer:
    """201 `Created successfully`, as the second source document words it."""
    key = await call.authorise(DEPLOYS_WRITE)
    body = await call.read_body(call.context.config.limits.deploy_body_bytes)
    replay = _find_replay(call, "/deployments", body)
    announcement = parse_deployment(body, defaults_of(key), call.context.clock())
    recorded = await _record(call.context, announcement, replay, len(body))
    about = sized(b"text/plain; charset=utf-8", _CREATED)
    return Answer(201, [(b"location", _page(key, recorded)), *about], _CREATED)


def explain_as_json(error: MiniapmError, context: Context, headers: RequestHeaders) -> Answer:
    """The shape of the JSON family."""
    body = error_json(error)
    return Answer(error.status, sized(b"application/json", body), body)


def explain_as_text(error: MiniapmError, context: Context, headers: RequestHeaders) -> Answer:
    """The document's words, with the reason and the request id where it promises them."""
    if isinstance(error, Internal):
        contact = context.config.server.admin_contact
        text = (
            f"Internal server error. Please contact {contact} for more information "
            f"(request id {error.request_id})"
        )
    elif isinstance(error, Unauthorized):
        text = "Unauthorized"
    elif isinstance(error, Forbidden):
        text = "Forbidden"
    elif error.status == 400:
        text = f"Invalid request - {error.message}"
    else:
        text = error.message
    body = text.encode()
    return Answer(error.status, sized(b"text/plain; charset=utf-8", body), body)


def accepted(key: Key, recorded: Recorded) -> Answer:
    """202 without a body, and where the deploy stands."""
    return Answer(202, [(b"location", _page(key, recorded)), _EMPTY])


def defaults_of(key: Key) -> Defaults:
    """What `key` stands for when a payload names nothing."""
    return Defaults(
        project_id=key.project_id,
        service=key.service or key.project_slug,
        env=key.env or DEFAULT_ENV,
        key_id=key.id,
    )


def _find_replay(call: Call, route: str, body: bytes) -> Replay | None:
    key = call.idempotency_key()
    if key is None:
        return None
    return Replay(route, key, hashlib.sha256(body).digest()[:16])


async def _record(
    context: Context, announcement: Announcement, replay: Replay | None, size: int
) -> Recorded:
    return await context.database.writer.submit(
        record_announcement,
        announcement,
        context.make_id(),
        context.deploy_timeout,
        replay,
        size=size,
    )


def _page(key: Key, recorded: Recorded) -> bytes:
    return f"/p/{key.project_slug}/deploys/{recorded.deploy_id}".encode()
