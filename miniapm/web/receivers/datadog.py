"""Datadog's clients: DORA deployments, events, and the deployment gate, which our verdict answers.

The key comes in the header DD-API-KEY; an application key is sent by some, and not looked at.
"""

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import Impact, Review
from miniapm.domain.keys import DEPLOYS_WRITE, READ, SCOPES, Key
from miniapm.domain.receivers.datadog import announce_dora, announce_event, echo_event
from miniapm.domain.receivers.datadog_gate import (
    GateQuestion,
    judge_gate,
    read_gate,
    read_gate_id,
    write_gate_id,
)
from miniapm.exceptions import MiniapmError, NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.impact.shown import find_judgement
from miniapm.storage.receivers.datadog_gates import find_gated, get_gate, insert_gate
from miniapm.web.addresses import write_base_url
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with
from miniapm.web.receivers.key_places import authorise_by_header

_KEY_HEADER = "DD-API-KEY"
_GATE = "/api/v2/deployments/gates/evaluation"


def _write_error(error: MiniapmError) -> object:
    title = error.code.replace("_", " ")
    return {"errors": [{"status": str(error.status), "title": title, "detail": error.message}]}


# the first version of their API has sentences, the second objects
_explain_first = explain_with(lambda error: {"errors": [error.message]})
_explain_second = explain_with(_write_error)


async def show_validity(call: ForeignCall) -> Answer:
    """Some clients ask first whether the key is good."""
    await _authorise(call, *SCOPES)
    return answer_object(200, {"valid": True})


async def post_dora(call: ForeignCall) -> Answer:
    key = await _authorise(call, DEPLOYS_WRITE)
    payload = await call.read_payload()
    recorded = await call.record(announce_dora(payload, defaults_of(key), call.context.clock()))
    data = {"id": str(recorded.deploy_id), "type": "dora_deployment"}
    return answer_object(200, {"data": data})


async def post_event(call: ForeignCall) -> Answer:
    """202 with the event as it was sent. What names no revision is refused: nothing is stored."""
    key = await _authorise(call, DEPLOYS_WRITE)
    payload = await call.read_payload()
    announcement = announce_event(payload, defaults_of(key), call.context.clock())
    recorded = await call.record(announcement)
    event = {
        "id": recorded.deploy_id,
        "id_str": str(recorded.deploy_id),
        "url": _page(call, key, recorded.deploy_id),
        "date_happened": announcement.at // 1_000_000,
        **echo_event(payload),
    }
    return answer_object(202, {"status": "ok", "event": event})


async def post_gate(call: ForeignCall) -> Answer:
    """202 and the id under which the answer is asked for; nothing is judged yet."""
    key = await _authorise(call, READ, DEPLOYS_WRITE)
    payload = await call.read_payload()
    context = call.context
    question = read_gate(payload, defaults_of(key), context.make_id(), context.clock())
    await context.database.write(insert_gate, question)
    gate_id = write_gate_id(question.id)
    data = {
        "id": gate_id,
        "type": "deployment_gates_evaluation_response",
        "attributes": {"evaluation_id": gate_id},
    }
    return answer_object(202, {"data": data})


async def show_gate(call: ForeignCall) -> Answer:
    """What the gate says by now: `pass`, `fail`, or `in_progress` while a verdict is to come."""
    key = await _authorise(call, READ, DEPLOYS_WRITE)
    gate_id = read_gate_id(call.params["id"])
    if gate_id is None:
        raise NotFound("There is no such evaluation; ask the gate again.")
    context = call.context
    question, deploy, impact, review = await context.database.read(_find, key.project_id, gate_id)
    said = judge_gate(question, deploy, impact, review, context.clock(), context.judged_since)
    written = write_gate_id(gate_id)
    rule = {"name": "miniapm verdict", "status": said.status, "reason": said.reason}
    attributes = {
        "dry_run": False,
        "evaluation_id": written,
        "evaluation_url": _page(call, key, deploy.id if deploy else None),
        "gate_id": written,
        "gate_status": said.status,
        "rules": [{**rule, "dry_run": False}],
    }
    data = {
        "id": written,
        "type": "deployment_gates_evaluation_result_response",
        "attributes": attributes,
    }
    return answer_object(200, {"data": data})


async def _authorise(call: ForeignCall, *scopes: str) -> Key:
    return await authorise_by_header(call, _KEY_HEADER, *scopes)


def _find(
    connection: Connection, project_id: int, gate_id: int
) -> tuple[GateQuestion, Deploy | None, Impact | None, Review | None]:
    question = get_gate(connection, project_id, gate_id)
    deploy = find_gated(connection, question)
    if deploy is None:
        return question, None, None, None
    judgement = find_judgement(connection, project_id, deploy.id)
    return question, deploy, judgement.impact, judgement.review


def _page(call: ForeignCall, key: Key, deploy_id: int | None) -> str:
    base = write_base_url(call.header("Host"), call.scheme, call.context)
    page = f"{base}/p/{key.project_slug}/deploys"
    return page if deploy_id is None else f"{page}/{deploy_id}"


DATADOG_ROUTES = (
    ForeignRoute("GET", "/api/v1/validate", show_validity, _explain_first),
    ForeignRoute("POST", "/api/v1/events", post_event, _explain_first),
    ForeignRoute("POST", "/api/v2/dora/deployment", post_dora, _explain_second),
    ForeignRoute("POST", _GATE, post_gate, _explain_second),
    ForeignRoute("GET", f"{_GATE}/{{id}}", show_gate, _explain_second),
)
