"""`POST /1/markers/{dataset}`, as Honeycomb has it."""

from miniapm.domain.receivers.honeycomb import echo_marker, read_honeycomb
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_under
from miniapm.web.receivers.key_places import authorise_writer


async def post_honeycomb(call: ForeignCall) -> Answer:
    """201 with the marker."""
    key = await authorise_writer(call, call.header("x-honeycomb-team"), "X-Honeycomb-Team")
    payload = await call.read_payload()
    now = call.context.clock()
    announcement = read_honeycomb(call.params["dataset"], payload, defaults_of(key), now)
    recorded = await call.record(announcement)
    return answer_object(201, {"id": str(recorded.deploy_id), **echo_marker(payload)})


HONEYCOMB_ROUTES = (
    ForeignRoute("POST", "/1/markers/{dataset}", post_honeycomb, explain_under("error")),
)
