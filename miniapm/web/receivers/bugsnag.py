"""`POST /`, where Bugsnag's tools report builds: they know only the root of a host."""

from miniapm.domain.receivers.bugsnag import read_bugsnag
from miniapm.exceptions import Invalid, TooLarge
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.ingest.missed import explain_otlp, find_signal, refuse_missed
from miniapm.web.ingest.otlp import explain_as_status, is_protobuf
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_with, list_reasons
from miniapm.web.receivers.key_places import authorise_writer


async def post_bugsnag(call: ForeignCall) -> Answer:
    """200: after any other they try again. 404 for telemetry: its SDK was given no path."""
    if is_protobuf(call.headers):
        return await _refuse_telemetry(call, None)
    try:
        payload = await call.read_payload()
    except (Invalid, TooLarge):
        call.body = await call.first_bytes()
        if (signal := find_signal(call.body)) is None:
            raise
    else:
        signal = find_signal(call.body or b"")
    if signal is not None:
        return await _refuse_telemetry(call, signal)
    key = await authorise_writer(call, payload.get("apiKey"), "apiKey")
    await call.record(read_bugsnag(payload, defaults_of(key), call.context.clock()))
    return answer_object(200, {"status": "ok"})


async def _refuse_telemetry(call: ForeignCall, signal: str | None) -> Answer:
    message = explain_otlp(signal, call.headers, call.scheme, call.context)
    return await refuse_missed(call, "/", message, explain_as_status)


BUGSNAG_ROUTES = (
    ForeignRoute(
        "POST",
        "/",
        post_bugsnag,
        explain_with(lambda error: {"status": "error", "errors": list_reasons(error)}),
    ),
)
