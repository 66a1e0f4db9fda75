"""Secrets of sessions and sign-in links: 256 random bits, of which only the SHA-256 is kept."""

import hashlib
import secrets


def make_token() -> str:
    """A new token, in characters that need no escape in a URL or a cookie."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
