"""`POST /1/markers`, where AppSignal's gem pushes deploys, and `/api/{application}/markers.json` of
its API. Both have the key in the query and nowhere else."""

from miniapm.domain.receivers.appsignal import read_appsignal_marker, read_appsignal_push
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_under
from miniapm.web.receivers.key_places import authorise_writer

_explain = explain_under("error")


async def push_marker(call: ForeignCall) -> Answer:
    """200: the gem takes no other."""
    key = await authorise_writer(call, call.query.get("api_key"), "?api_key=")
    payload = await call.read_payload()
    now = call.context.clock()
    await call.record(read_appsignal_push(call.query, payload, defaults_of(key), now))
    return answer_object(200, {})


async def post_marker(call: ForeignCall) -> Answer:
    """201. The project is that of the key, whatever application its address has."""
    key = await authorise_writer(call, call.query.get("token"), "?token=")
    payload = await call.read_payload()
    announcement = read_appsignal_marker(payload, defaults_of(key), call.context.clock())
    recorded = await call.record(announcement)
    marker = {"kind": "deploy", "revision": announcement.git_sha}
    return answer_object(201, {"id": str(recorded.deploy_id), **marker})


APPSIGNAL_ROUTES = (
    ForeignRoute("POST", "/1/markers", push_marker, _explain),
    ForeignRoute("POST", "/api/{application}/markers.json", post_marker, _explain),
)
