"""Texts by how they begin: the half-open range in which an index finds them."""

_LAST = "\U0010ffff"


def end_of(prefix: str) -> str:
    """The end of the range from `prefix` on: no name that begins with it sorts after this."""
    return prefix + _LAST
