"""`POST /hooks/cdevents/<id>`: CloudEvents have no signature of their own."""

from miniapm.domain.receivers.cdevents import open_event, read_cdevents
from miniapm.domain.strict_json import decode_object
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall
from miniapm.web.receivers.hearing import find_receiver, read_proved, store, trust_address

_FRAME = ("ce-id", "ce-source", "ce-type")


async def post_cdevent(call: ForeignCall) -> Answer:
    """202 when something was stored, 200 when it tells of nothing to store."""
    receiver = await find_receiver(call, "cdevents")
    payload = decode_object(await read_proved(call, receiver, trust_address))
    event = open_event(payload, {name: call.header(name) for name in _FRAME})
    heard = read_cdevents(event, receiver)
    return await store(call, receiver, event.delivery, heard)
