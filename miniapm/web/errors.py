"""How it fails: every error becomes one shape per family, here and nowhere else.

A stranger sees our sentence or "Internal error" with a request id; the log has the rest.
"""

import logging
import secrets
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.exceptions import (
    Invalid,
    MethodNotAllowed,
    MiniapmError,
    TryLater,
    Unauthorized,
)

log = logging.getLogger(__name__)

Headers = Sequence[tuple[bytes, bytes]]


class Internal(MiniapmError):
    """Ours, and not explained to strangers. `request_id` is also in the log."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Internal error; the log has more under request id {request_id}.")
        self.request_id = request_id


def as_ours(error: Exception, method: str, path: str) -> MiniapmError:
    """`error` if it is ours to explain; anything else is logged under a request id."""
    if isinstance(error, MiniapmError) and error.code != "internal":
        return error
    internal = Internal(secrets.token_hex(8))
    # %r: nothing that a sender writes can start a new line in the log
    log.error("request %s: %s %r failed", internal.request_id, method, path, exc_info=error)
    return internal


def error_headers(error: MiniapmError) -> Headers:
    """The headers that an answer with this error carries, whatever its body."""
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    if isinstance(error, TryLater):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, Internal):
        headers.append((b"x-request-id", error.request_id.encode()))
    return headers


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the JSON API and ingest answer when they refuse."""

    error: Annotated[str, Meta(description="A short code that stays the same")]
    message: Annotated[str, Meta(description="One sentence for a person")]
    fields: Annotated[
        dict[str, str], Meta(description="Every bad field, with what is wrong with it")
    ] = {}


def error_json(error: MiniapmError) -> bytes:
    """The JSON family's body: error, message and, where it applies, fields."""
    fields = error.fields if isinstance(error, Invalid) else {}
    return msgspec.json.encode(ErrorBody(error.code, error.message, fields))
