"""`POST /api/1/deploy` and `PATCH /api/1/deploy/{id}`, as Rollbar has them."""

from typing import Any

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import parse_id
from miniapm.domain.keys import DEPLOYS_ADMIN, Key
from miniapm.domain.receivers.rollbar import read_rollbar, read_rollbar_change
from miniapm.exceptions import Forbidden, NotFound
from miniapm.storage.audit import Act
from miniapm.storage.deploys.ends import change_outcome
from miniapm.storage.deploys.find import get_deploy
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with
from miniapm.web.receivers.key_places import authorise_writer

_OPEN = ("started", "timed_out")
_explain = explain_with(lambda error: {"err": 1, "message": error.message})


async def post_rollbar(call: ForeignCall) -> Answer:
    """200 with an id for the PATCH: clients take no other."""
    payload = await call.read_payload()
    key = await _authorise(call, payload)
    recorded = await call.record(read_rollbar(payload, defaults_of(key), call.context.clock()))
    return _answer(recorded.deploy_id)


async def patch_rollbar(call: ForeignCall) -> Answer:
    """200. NotFound when the project has no such deploy; Forbidden for one that has ended and that
    another key recorded."""
    context = call.context
    payload = await call.read_payload()
    key = await _authorise(call, payload)
    deploy_id = parse_id(call.params["id"])
    if deploy_id is None:
        raise NotFound("There is no such deploy.")
    deploy = await context.database.read(get_deploy, key.project_id, deploy_id)
    _refuse_others(key, deploy)
    change = read_rollbar_change(payload)
    act = Act(key.name, context.clock(), context.make_id)
    await context.database.write(change_outcome, act, deploy, change.status, change.comment)
    return _answer(deploy_id)


def _refuse_others(key: Key, deploy: Deploy) -> None:
    is_own = deploy.key_id == key.id or DEPLOYS_ADMIN in key.scopes
    if deploy.status not in _OPEN and not is_own:
        raise Forbidden("This deploy has ended, and another key recorded it.")


async def _authorise(call: ForeignCall, payload: dict[str, Any]) -> Key:
    secret = call.header("x-rollbar-access-token") or payload.get("access_token")
    return await authorise_writer(call, secret, "X-Rollbar-Access-Token or access_token")


def _answer(deploy_id: int) -> Answer:
    # as text: JavaScript would round the number
    found = str(deploy_id)
    return answer_object(200, {"err": 0, "data": {"deploy_id": found}, "result": {"id": found}})


ROLLBAR_ROUTES = (
    ForeignRoute("POST", "/api/1/deploy", post_rollbar, _explain),
    ForeignRoute("PATCH", "/api/1/deploy/{id}", patch_rollbar, _explain),
)
