"""`POST /data/events/deployments/start` and `/end`, as BigPanda has them."""

from miniapm.domain.keys import DEPLOYS_WRITE
from miniapm.domain.receivers.bigpanda import read_bigpanda_end, read_bigpanda_start
from miniapm.storage.deploys.ends import record_end
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with

_PATH = "/data/events/deployments"
_STORED = {"status": "success"}
_explain = explain_with(lambda error: {"status": "failure", "message": error.message})


async def post_start(call: ForeignCall) -> Answer:
    """200: its Ansible module takes no other."""
    key = await call.authorise(DEPLOYS_WRITE)
    payload = await call.read_payload()
    await call.record(read_bigpanda_start(payload, defaults_of(key), call.context.clock()))
    return answer_object(200, _STORED)


async def post_end(call: ForeignCall) -> Answer:
    """200. An end does not say in which environment: that is told where it starts."""
    context = call.context
    key = await call.authorise(DEPLOYS_WRITE)
    payload = await call.read_payload()
    await context.database.writer.submit(
        record_end,
        read_bigpanda_end(payload, defaults_of(key), context.clock()),
        context.make_id(),
        context.deploy_timeout,
        size=len(call.body or b""),
    )
    return answer_object(200, _STORED)


BIGPANDA_ROUTES = (
    ForeignRoute("POST", f"{_PATH}/start", post_start, _explain),
    ForeignRoute("POST", f"{_PATH}/end", post_end, _explain),
)
