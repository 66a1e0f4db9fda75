"""`POST /hooks/coolify/<id>`: Coolify signs nothing."""

from miniapm.domain.receivers.coolify import find_delivery, read_coolify
from miniapm.domain.strict_json import decode_object
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall
from miniapm.web.receivers.hearing import find_receiver, read_proved, store, trust_address


async def post_coolify(call: ForeignCall) -> Answer:
    """202 when something was stored, 200 when it tells of nothing to store."""
    receiver = await find_receiver(call, "coolify")
    payload = decode_object(await read_proved(call, receiver, trust_address))
    heard = read_coolify(payload, receiver)
    return await store(call, receiver, find_delivery(payload), heard)
