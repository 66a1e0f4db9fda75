"""What a deploy is called where nobody gave it a title."""

from miniapm.domain.deploys.values import Deploy

MAX_TITLE = 200


def shown_title(deploy: Deploy, head_message: str | None) -> str | None:
    """The title as given, else the first line of the head commit's message."""
    if deploy.title is not None or head_message is None:
        return deploy.title
    first, *_ = head_message.strip().splitlines() or [""]
    return first.strip()[:MAX_TITLE] or None
