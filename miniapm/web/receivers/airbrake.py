"""`POST /api/v4/projects/{project}/deploys`, as Airbrake has it."""

from miniapm.domain.receivers.airbrake import read_airbrake
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with
from miniapm.web.receivers.key_places import authorise_writer


async def post_airbrake(call: ForeignCall) -> Answer:
    """201. The project is that of the key, whatever number its address has."""
    key = await authorise_writer(call, call.query.get("key"), "?key=")
    payload = await call.read_payload()
    recorded = await call.record(read_airbrake(payload, defaults_of(key), call.context.clock()))
    return answer_object(201, {"id": str(recorded.deploy_id)})


AIRBRAKE_ROUTES = (
    ForeignRoute(
        "POST",
        "/api/v4/projects/{project}/deploys",
        post_airbrake,
        explain_with(lambda error: {"code": error.status, "message": error.message}),
    ),
)
