"""`/v2/applications.json` and an application's deployments, as New Relic's REST API has them."""

from miniapm.domain.keys import Key
from miniapm.domain.receivers.newrelic import (
    make_application_id,
    read_application_id,
    read_application_name,
    read_newrelic,
)
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with
from miniapm.web.receivers.key_places import authorise_writer

_APPLICATIONS = "/v2/applications.json"
_explain = explain_with(lambda error: {"error": {"title": error.message}})


async def find_application(call: ForeignCall) -> Answer:
    """200 with the application of that name; without one, that of the key."""
    key = await _authorise(call)
    fields = call.query if call.method == "GET" else await call.read_payload(may_be_empty=True)
    name = read_application_name(fields) or defaults_of(key).service
    application = {"id": make_application_id(name), "name": name}
    return answer_object(200, {"applications": [application]})


async def post_newrelic(call: ForeignCall) -> Answer:
    """201: its own command takes no other."""
    key = await _authorise(call)
    service = read_application_id(call.params["application"])
    payload = await call.read_payload()
    announcement = read_newrelic(payload, service, defaults_of(key), call.context.clock())
    recorded = await call.record(announcement)
    deployment = {"id": str(recorded.deploy_id), "revision": announcement.git_sha}
    return answer_object(201, {"deployment": deployment})


async def _authorise(call: ForeignCall) -> Key:
    secret = call.header("api-key") or call.header("x-api-key")
    return await authorise_writer(call, secret, "Api-Key")


NEWRELIC_ROUTES = (
    ForeignRoute("GET", _APPLICATIONS, find_application, _explain),
    ForeignRoute("POST", _APPLICATIONS, find_application, _explain),
    ForeignRoute(
        "POST", "/v2/applications/{application}/deployments.json", post_newrelic, _explain
    ),
)
