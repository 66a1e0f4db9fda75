"""`POST /v1/deploys`, as Honeybadger has it: a form, JSON, or all but the key in the query."""

from miniapm.domain.receivers.honeybadger import read_honeybadger
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_under
from miniapm.web.receivers.key_places import authorise_writer


async def post_honeybadger(call: ForeignCall) -> Answer:
    """201: its Ansible module takes no other."""
    payload = await call.read_payload(may_be_empty=True)
    # never that of the query: who writes an address by hand can send a header as well
    secret = call.header("x-api-key") or payload.get("api_key")
    key = await authorise_writer(call, secret, "the header X-API-Key, or api_key in the body")
    fields = {**call.query, **payload}
    await call.record(read_honeybadger(fields, defaults_of(key), call.context.clock()))
    return answer_object(201, {"status": "OK"})


HONEYBADGER_ROUTES = (
    ForeignRoute("POST", "/v1/deploys", post_honeybadger, explain_under("errors")),
)
