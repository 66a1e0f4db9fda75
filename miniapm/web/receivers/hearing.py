"""A delivery of a sender with webhooks of its own: its address is found, it is proved and read,
then stored once, whatever it says, and answered as it was the first time."""

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from miniapm.domain.receivers.announcing import announce_heard
from miniapm.domain.receivers.delivery_ids import name_delivery
from miniapm.domain.receivers.values import Heard, Receiver, ReceiverKind
from miniapm.exceptions import NotFound, Unauthorized
from miniapm.storage.receivers.deliveries import Delivery, Receipt, receive
from miniapm.storage.receivers.receivers import find_receiver_at
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall, answer_object

Proof = Callable[[ForeignCall, Receiver, bytes], None]
"""Unauthorized unless whoever called knows the receiver's secret."""


class DeliveryAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a sender shows in its list of deliveries: people look there first."""

    result: str
    reason: str = ""
    deploy_id: str | None = None


async def find_receiver(call: ForeignCall, kind: ReceiverKind) -> Receiver:
    """The receiver at this address. NotFound when there is none, Forbidden when it was revoked."""
    context = call.context
    receiver = await context.database.read(find_receiver_at, kind, call.params["address"])
    if receiver is None:
        raise NotFound("There is no receiver at this address.")
    # kept before it is judged: a refusal belongs to its project
    call.receiver = receiver
    receiver.refuse_revoked(context.clock())
    return receiver


async def read_proved(
    call: ForeignCall, receiver: Receiver, proof: Proof, *, is_long: bool = False
) -> bytes:
    """The body, of which `proof` is convinced. TooLarge past the limit for a deploy; `is_long` is
    what has lists of commits and their files."""
    limits = call.context.config.limits
    limit = max(limits.deploy_body_bytes, limits.telemetry_body_bytes if is_long else 0)
    body = await call.read_body(limit)
    proof(call, receiver, body)
    return body


async def store(
    call: ForeignCall, receiver: Receiver, delivery: str | None, heard: Heard
) -> Answer:
    """Stores what was heard once; `delivery` is the sender's id of it, None where it has none:
    then what is the same byte by byte is the same delivery."""
    context = call.context
    body = call.body or b""
    now = context.clock()
    receipt = await context.database.writer.submit(
        receive,
        Delivery(
            receiver=receiver,
            id=name_delivery(delivery, body),
            heard=heard,
            announcement=announce_heard(heard, receiver, now),
            received_at=now,
        ),
        context.make_id(),
        context.deploy_timeout,
        size=len(body),
    )
    return _answer(receiver, receipt)


def _answer(receiver: Receiver, receipt: Receipt) -> Answer:
    if receipt.deploy_id is None:
        result = "nothing stored" if receipt.answer else "stored"
        return answer_object(receipt.status, DeliveryAnswer(result, receipt.answer))
    page = f"/p/{receiver.project_slug}/deploys/{receipt.deploy_id}"
    answer = answer_object(
        receipt.status, DeliveryAnswer("stored", deploy_id=str(receipt.deploy_id))
    )
    return answer._replace(headers=[(b"location", page.encode()), *answer.headers])


def prove_equal(sent: str, expected: str, header: str) -> None:
    """Unauthorized unless both are the same; takes as long for any other."""
    if not sent:
        raise Unauthorized(
            f"The header {header} is missing: give the webhook the secret of its receiver."
        )
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), expected.encode()):
        raise Unauthorized(
            f"The header {header} does not fit: the webhook has another secret than its receiver."
        )


def hash_body(receiver: Receiver, body: bytes) -> bytes:
    """HMAC-SHA256 of a body with the receiver's secret."""
    return hmac.new(receiver.secret.encode(), body, hashlib.sha256).digest()


def trust_address(call: ForeignCall, receiver: Receiver, body: bytes) -> None:
    """For senders that cannot sign: that they know the address is all the proof there is."""
