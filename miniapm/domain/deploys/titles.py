"""What a deploy is called where nobody gave it a title."""

import re

from miniapm.domain.deploys.values import Deploy

MAX_TITLE = 200
# how GitHub and GitLab write a merge: the title of what was merged is the next paragraph
_MERGE = re.compile(
    r"Merge (?:pull request #\d+ from|branch '[^'\n]+' into '[^'\n]+')[^\n]*\n\s*(?=\S)"
)


def shown_title(
    deploy: Deploy, head_message: str | None, *, is_of_receiver: bool = False
) -> str | None:
    """The title as given, else the first line of the head commit's message; where a receiver
    brought the message of a merge, the title of the pull request in it."""
    if deploy.title is not None or head_message is None:
        return deploy.title
    message = head_message.strip()
    merge = _MERGE.match(message) if is_of_receiver else None
    first, *_ = message[merge.end() if merge else 0 :].splitlines() or [""]
    return first.strip()[:MAX_TITLE] or None
