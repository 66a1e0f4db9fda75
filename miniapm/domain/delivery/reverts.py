"""Which commits a commit takes back: git's own words alone, never a title."""

import re
from itertools import islice

REVERTS = "This reverts commit "
MOST_REVERTED = 10
"""Commits that one can take back; nobody writes more of git's sentences."""
_REVERTED = re.compile(r"This reverts commit ([0-9a-fA-F]{7,64})\b")


def find_reverted(message: str | None) -> tuple[str, ...]:
    """The shas in `This reverts commit <sha>`, in their order; as git wrote them, often whole."""
    if not message or REVERTS not in message:
        return ()
    found = dict.fromkeys(sha.lower() for sha in _REVERTED.findall(message))
    return tuple(islice(found, MOST_REVERTED))
