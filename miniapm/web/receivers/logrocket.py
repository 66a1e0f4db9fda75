"""`GET /cli/status/` and the releases of an application, as LogRocket's command wants them."""

from miniapm.domain.keys import DEPLOYS_WRITE, Key
from miniapm.domain.receivers.logrocket import read_logrocket
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_under

_explain = explain_under("error")


async def get_status(call: ForeignCall) -> Answer:
    """200 when the key may announce deploys: the command asks before each release."""
    await _authorise(call)
    return answer_object(200, {})


async def post_logrocket(call: ForeignCall) -> Answer:
    """201."""
    key = await _authorise(call)
    payload = await call.read_payload()
    now = call.context.clock()
    application = call.params["application"]
    await call.record(read_logrocket(application, payload, defaults_of(key), now))
    return answer_object(201, {})


async def _authorise(call: ForeignCall) -> Key:
    """The key of `Token ORGANISATION:APPLICATION:KEY`, which is all that it can send."""
    scheme, _, login = call.header("authorization").partition(" ")
    if scheme.lower() == "token":
        return await call.authorise_by(login.rpartition(":")[2].strip(), DEPLOYS_WRITE)
    return await call.authorise(DEPLOYS_WRITE)


LOGROCKET_ROUTES = (
    ForeignRoute("GET", "/cli/status", get_status, _explain),
    ForeignRoute(
        "POST", "/v1/orgs/{organisation}/apps/{application}/releases", post_logrocket, _explain
    ),
)
