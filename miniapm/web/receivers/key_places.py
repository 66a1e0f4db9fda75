"""Where clients keep their keys: in `Authorization`, in headers of their own, in logins, and,
where a client can do nothing else, the body or the query."""

from base64 import b64decode
from typing import Any

from miniapm.domain.authorization import KEY_NEEDED, read_secret
from miniapm.domain.keys import DEPLOYS_WRITE, Key
from miniapm.exceptions import Unauthorized
from miniapm.web.receivers.calls import ForeignCall


async def authorise_by_header(call: ForeignCall, name: str, *scopes: str) -> Key:
    """The key in a header of the client's own, with one of `scopes`; Unauthorized names it where
    it is missing."""
    secret = call.header(name)
    if not secret:
        raise Unauthorized(f"{KEY_NEEDED}: send it in the header {name}.")
    return await call.authorise_by(secret, *scopes)


async def authorise_writer(call: ForeignCall, secret: Any, place: str) -> Key:
    """The key that may announce deploys: `secret` as it stood at `place`, the client's own one;
    else that of the Authorization header."""
    if isinstance(secret, str) and secret.strip():
        return await call.authorise_by(secret.strip(), DEPLOYS_WRITE)
    if call.header("authorization"):
        return await call.authorise(DEPLOYS_WRITE)
    raise Unauthorized(f"{KEY_NEEDED}: send it as {place}.")


async def authorise_by_login(call: ForeignCall, *scopes: str) -> Key:
    """The key as `Bearer`, raw, or as the password of a `Basic` login, whatever the name there."""
    header = call.header("Authorization")
    scheme, _, rest = header.partition(" ")
    secret = _read_password(rest) if scheme.lower() == "basic" else read_secret(header)
    return await call.authorise_by(secret, *scopes)


def _read_password(encoded: str) -> str:
    try:
        login = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return ""
    name, _, password = login.partition(":")
    return password or name
