"""`POST /`, where Bugsnag's tools report builds: they know only the root of a host."""

from miniapm.domain.receivers.bugsnag import read_bugsnag
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with, list_reasons
from miniapm.web.receivers.key_places import authorise_writer


async def post_bugsnag(call: ForeignCall) -> Answer:
    """200: after any other they try again."""
    payload = await call.read_payload()
    key = await authorise_writer(call, payload.get("apiKey"), "apiKey")
    await call.record(read_bugsnag(payload, defaults_of(key), call.context.clock()))
    return answer_object(200, {"status": "ok"})


BUGSNAG_ROUTES = (
    ForeignRoute(
        "POST",
        "/",
        post_bugsnag,
        explain_with(lambda error: {"status": "error", "errors": list_reasons(error)}),
    ),
)
