"""`POST /hooks/gitlab/<id>`: its secret comes with it as X-Gitlab-Token."""

from hashlib import sha256

from miniapm.domain.receivers.gitlab import read_gitlab
from miniapm.domain.receivers.values import Receiver
from miniapm.domain.strict_json import decode_object
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall
from miniapm.web.receivers.hearing import find_receiver, prove_equal, read_proved, store

_TOKEN = "X-Gitlab-Token"  # noqa: S105 - the name of a header


async def post_gitlab(call: ForeignCall) -> Answer:
    """202 when something was stored, 200 when it tells of nothing to store."""
    receiver = await find_receiver(call, "gitlab")
    is_push = call.header("X-Gitlab-Event") == "Push Hook"
    body = await read_proved(call, receiver, _prove, is_long=is_push)
    heard = read_gitlab(decode_object(body), receiver)
    return await store(call, receiver, _find_delivery(call, body), heard)


def _prove(call: ForeignCall, receiver: Receiver, body: bytes) -> None:
    prove_equal(call.header(_TOKEN), receiver.secret, _TOKEN)


def _find_delivery(call: ForeignCall, body: bytes) -> str | None:
    """The same in all attempts. What one webhook sets off in another may share the event's id, and
    so the body belongs to it."""
    key = call.header("Idempotency-Key")
    event = call.header("X-Gitlab-Event-UUID")
    return key or (f"{event} {sha256(body).hexdigest()}" if event else None)
