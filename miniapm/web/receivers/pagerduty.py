"""`POST /v2/change/enqueue`, as PagerDuty has it for change events."""

from miniapm.domain.receivers.pagerduty import read_pagerduty
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with, list_reasons
from miniapm.web.receivers.key_places import authorise_writer


async def post_pagerduty(call: ForeignCall) -> Answer:
    """202: its Ansible module takes no other, and when it only checks, 400 for an empty body."""
    payload = await call.read_payload()
    key = await authorise_writer(call, payload.get("routing_key"), "routing_key")
    await call.record(read_pagerduty(payload, defaults_of(key), call.context.clock()))
    return answer_object(202, {"status": "success", "message": "Change event processed"})


PAGERDUTY_ROUTES = (
    ForeignRoute(
        "POST",
        "/v2/change/enqueue",
        post_pagerduty,
        explain_with(
            lambda error: {
                "status": error.code,
                "message": error.message,
                "errors": list_reasons(error),
            }
        ),
    ),
)
