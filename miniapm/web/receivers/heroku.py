"""`POST /hooks/heroku/<id>`: signed with Heroku-Webhook-Hmac-SHA256."""

from base64 import b64encode

from miniapm.domain.receivers.heroku import find_delivery, read_heroku
from miniapm.domain.receivers.values import Receiver
from miniapm.domain.strict_json import decode_object
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall
from miniapm.web.receivers.hearing import (
    find_receiver,
    hash_body,
    prove_equal,
    read_proved,
    store,
)

_SIGNATURE = "Heroku-Webhook-Hmac-SHA256"


async def post_heroku(call: ForeignCall) -> Answer:
    """202 when something was stored, 200 when it is no release of code."""
    receiver = await find_receiver(call, "heroku")
    payload = decode_object(await read_proved(call, receiver, _prove))
    heard = read_heroku(payload, receiver)
    return await store(call, receiver, find_delivery(payload), heard)


def _prove(call: ForeignCall, receiver: Receiver, body: bytes) -> None:
    expected = b64encode(hash_body(receiver, body)).decode()
    prove_equal(call.header(_SIGNATURE), expected, _SIGNATURE)
