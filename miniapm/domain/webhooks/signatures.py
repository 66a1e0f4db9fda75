"""Signatures by Standard Webhooks (https://www.standardwebhooks.com), version v1."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from secrets import token_bytes

from miniapm.clock import SECOND

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def make_signing_secret() -> str:
    """A new secret: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, seconds: int, body: bytes) -> str:
    """The value of `webhook-signature` for a message sent at `seconds` of the Unix epoch."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{message_id}.{seconds}.".encode() + body
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def make_headers(secrets: Sequence[str], delivery_id: int, at: int, body: bytes) -> dict[str, str]:
    """The headers of a message posted at `at`; its id is the same at every try. There is a
    signature by each secret: a receiver takes the message when it knows one of them."""
    message_id, seconds = f"msg_{delivery_id}", at // SECOND
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(sign(one, message_id, seconds, body) for one in secrets),
    }
