"""The ids by which what is sent again is known."""

from hashlib import sha256

_MOST_DELIVERY = 400


def fit_id(text: str, most: int) -> str:
    """`text`; its hash where it has more than `most` characters, or some that cannot be stored: cut
    short, two ids could be one."""
    encoded = text.encode("utf-8", "surrogatepass")
    is_storable = text.encode("utf-8", "replace") == encoded
    return text if len(text) <= most and is_storable else _hash(encoded)


def name_delivery(sent: str | None, body: bytes) -> str:
    """What a delivery is known by: the sender's id of it, else its bytes."""
    return fit_id(sent, _MOST_DELIVERY) if sent else _hash(body)


def _hash(text: bytes) -> str:
    return f"sha256 {sha256(text).hexdigest()}"
