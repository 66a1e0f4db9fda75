"""What the log of the webhooks tells about why somebody heard nothing."""

from miniapm.clock import to_rfc3339
from miniapm.domain.doctor import Finding
from miniapm.domain.webhooks.values import Delivery, Webhook
from miniapm.storage.connection import Connection
from miniapm.storage.projects import Project
from miniapm.storage.webhooks.deliveries import KEPT_PER_WEBHOOK, find_last_tried, find_log
from miniapm.storage.webhooks.webhooks import find_webhooks


def examine_webhooks(connection: Connection, project: Project, page: str) -> list[Finding]:
    """A finding for each webhook of a project; `page` shows their logs."""
    return [
        _examine(webhook, find_log(connection, webhook, KEPT_PER_WEBHOOK), project, page)
        for webhook in find_webhooks(connection, project.id)
    ]


def _examine(webhook: Webhook, log: list[Delivery], project: Project, page: str) -> Finding:
    name = f"The webhook {webhook.id} of {project.slug} ({webhook.target.shown})"
    if webhook.disabled_at is not None:
        return Finding(
            "problem",
            project.slug,
            f"{name} is off: on {to_rfc3339(webhook.disabled_at)} its receiver said that it is "
            "gone for good.",
            f"`miniapm webhooks delete {webhook.id}`, and make one with the right address.",
        )
    last = find_last_tried(log)
    if last is None or last.state == "delivered":
        return Finding("ok", project.slug, f"{name} delivers.")
    waiting = sum(delivery.state == "waiting" for delivery in log)
    return Finding(
        "problem",
        project.slug,
        f"{name} fails: {last.problem}. Messages that wait: {waiting}.",
        f"`miniapm webhooks test {webhook.id}` tries it now; {page} has its log.",
    )
