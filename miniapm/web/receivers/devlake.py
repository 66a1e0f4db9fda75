"""The addresses of Apache DevLake's webhook for deployments: by the number of a connection, its
name, or that of a project."""

from miniapm.domain.keys import DEPLOYS_WRITE
from miniapm.domain.receivers.devlake import read_devlake
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with, list_reasons

# `/rest` is what keys are for; some installations leave it out
_PREFIXES = ("/api/rest/plugins/webhook", "/api/plugins/webhook")
_PLACES = ("connections/{place}", "connections/by-name/{place}", "projects/{place}")
_explain = explain_with(
    lambda error: {
        "code": error.status,
        "success": False,
        "message": error.message,
        "causes": list_reasons(error),
    }
)


async def post_devlake(call: ForeignCall) -> Answer:
    """200. The project is that of the key, whatever connection its address has."""
    key = await call.authorise(DEPLOYS_WRITE)
    payload = await call.read_payload()
    await call.record(read_devlake(payload, defaults_of(key), call.context.clock()))
    return answer_object(200, None)


DEVLAKE_ROUTES = tuple(
    ForeignRoute("POST", f"{prefix}/{place}/deployments", post_devlake, _explain)
    for prefix in _PREFIXES
    for place in _PLACES
)
