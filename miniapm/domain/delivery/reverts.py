"""Which commits a commit takes back: git's own words alone, never a title."""

import re

REVERTS = "This reverts commit "
_REVERTED = re.compile(r"This reverts commit ([0-9a-fA-F]{7,64})\b")


def find_reverted(message: str | None) -> tuple[str, ...]:
    """The shas in `This reverts commit <sha>`, in their order; as git wrote them, often whole."""
    if not message or REVERTS not in message:
        return ()
    return tuple(dict.fromkeys(sha.lower() for sha in _REVERTED.findall(message)))
