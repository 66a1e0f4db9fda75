"""Commits by their ids, which people and senders cut short."""

import string

from miniapm.domain.deploys.values import SHA_PREFIX

FULL_SHAS = (40, 64)
"""How long the ids of commits are, uncut."""
POSITIONS_PER_SECOND = 4096
"""Places on a branch are its seconds and the place of a commit in them: a push has fewer."""
_HEX = frozenset(string.hexdigits)


def is_sha(name: str) -> bool:
    """Whether it looks like a commit: seven hex digits or more, and no date."""
    if len(name) < SHA_PREFIX or set(name) - _HEX:
        return False
    return not name.isdigit() or len(name) in FULL_SHAS


def is_same_commit(one: str, other: str) -> bool:
    """Whether two shas, either of them cut to seven characters or more, name the same commit."""
    if min(len(one), len(other)) < SHA_PREFIX:
        return one == other
    one, other = one.lower(), other.lower()
    return one.startswith(other) or other.startswith(one)
