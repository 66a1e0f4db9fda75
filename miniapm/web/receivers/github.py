"""`POST /hooks/github/<id>`: signed with X-Hub-Signature-256."""

from typing import Any
from urllib.parse import parse_qs

from miniapm.domain.receivers.github import read_github
from miniapm.domain.receivers.values import Receiver
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid
from miniapm.web.ingest.calls import Answer
from miniapm.web.receivers.calls import ForeignCall
from miniapm.web.receivers.forms import is_form
from miniapm.web.receivers.hearing import (
    find_receiver,
    hash_body,
    prove_equal,
    read_proved,
    store,
)

_SIGNATURE = "X-Hub-Signature-256"
_EVENT = "X-GitHub-Event"


async def post_github(call: ForeignCall) -> Answer:
    """202 when something was stored, 200 when it tells of nothing to store."""
    receiver = await find_receiver(call, "github")
    event = call.header(_EVENT)
    body = await read_proved(call, receiver, _prove, is_long=event == "push")
    if not event:
        raise Invalid(f"The header {_EVENT} is missing.", {_EVENT: "is missing"})
    heard = read_github(event, _decode(call, body), receiver)
    return await store(call, receiver, call.header("X-GitHub-Delivery") or None, heard)


def _prove(call: ForeignCall, receiver: Receiver, body: bytes) -> None:
    expected = f"sha256={hash_body(receiver, body).hex()}"
    prove_equal(call.header(_SIGNATURE), expected, _SIGNATURE)


def _decode(call: ForeignCall, body: bytes) -> dict[str, Any]:
    """JSON, or a form with JSON in its field `payload`: GitHub's default for a new webhook. What
    `curl -d` sends calls itself a form, too."""
    if not is_form(call.headers.get(b"content-type", b""), body):
        return decode_object(body)
    try:
        payload = parse_qs(body.decode("ascii"), max_num_fields=10).get("payload", [""])[0]
    except ValueError:
        raise Invalid("The form did not arrive as GitHub sends it.") from None
    return decode_object(payload.encode("utf-8", "surrogatepass"))
