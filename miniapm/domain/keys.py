"""API keys: `proj_`, 30 base62 characters, 6 of base62 CRC-32. Only their SHA-256 is kept."""

import hashlib
import secrets
import string
import zlib
from typing import Final

import msgspec

from miniapm.clock import to_rfc3339
from miniapm.exceptions import Forbidden, Invalid

PREFIX: Final = "proj_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 30
_CHECK_LENGTH = 6
_LENGTH = len(PREFIX) + _RANDOM_LENGTH + _CHECK_LENGTH

DEPLOYS_WRITE = "deploys:write"
DEPLOYS_ADMIN = "deploys:admin"
TRACES_WRITE = "traces:write"
ERRORS_WRITE = "errors:write"
READ = "read"
SCOPES = (DEPLOYS_WRITE, DEPLOYS_ADMIN, TRACES_WRITE, ERRORS_WRITE, READ)
DEFAULT_SCOPES = (DEPLOYS_WRITE, TRACES_WRITE, ERRORS_WRITE)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as stored. `env` and `service` are what it stands for when a payload names none."""

    id: int
    project_id: int
    project_slug: str
    name: str
    display: str
    scopes: tuple[str, ...]
    created_at: int
    env: str | None = None
    service: str | None = None
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def has_ended(self, now: int) -> bool:
        """Whether it is revoked or expired at `now`; a revocation may lie ahead."""
        revoked, expires = self.revoked_at, self.expires_at
        return (revoked is not None and revoked <= now) or (expires is not None and expires <= now)

    def tell_state(self, now: int) -> str:
        """Whether it is valid at `now`, and when it ends, for lists."""
        if self.revoked_at is not None:
            return "revoked" if self.revoked_at <= now else f"ends {to_rfc3339(self.revoked_at)}"
        if self.expires_at is not None:
            return "expired" if self.expires_at <= now else f"ends {to_rfc3339(self.expires_at)}"
        return "valid"

    def refuse_unless_valid(self, now: int) -> None:
        """Forbidden, with the reason, when the key is revoked or expired."""
        if self.revoked_at is not None and self.revoked_at <= now:
            raise Forbidden("This key was revoked; make a new one in the project's settings.")
        if self.expires_at is not None and self.expires_at <= now:
            raise Forbidden("This key has expired; make a new one in the project's settings.")

    def refuse_without(self, *scopes: str) -> None:
        """Forbidden unless the key has one of `scopes`."""
        for scope in scopes:
            if scope in self.scopes:
                return
        wanted = " or ".join(scopes)
        raise Forbidden(f"This key lacks the scope {wanted}; it has {', '.join(self.scopes)}.")


def make_secret() -> str:
    """A new key, to be shown once."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def looks_like_key(secret: str) -> bool:
    """Whether `secret` has the form and the checksum of a key: others need no look-up."""
    return (
        len(secret) == _LENGTH
        and secret.startswith(PREFIX)
        and secret.isascii()
        and secret[-_CHECK_LENGTH:] == _checksum(secret[:-_CHECK_LENGTH])
    )


def hash_secret(secret: str) -> bytes:
    """SHA-256, of any text: a key has 178 random bits, so a slow hash would only slow us."""
    # lone surrogates come in JSON
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def display_of(secret: str) -> str:
    """The part of a key that may be shown: its first eight characters."""
    return secret[:8]


def check_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """`scopes` in their order, each once; Invalid names one that does not exist."""
    for scope in scopes:
        if scope not in SCOPES:
            raise Invalid(
                f"There is no scope {scope!r}; there are {', '.join(SCOPES)}.",
                {"scope": f"must be one of {', '.join(SCOPES)}"},
            )
    return tuple(scope for scope in SCOPES if scope in scopes)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
