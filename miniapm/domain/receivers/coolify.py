"""Coolify's notifications: it signs nothing, and does not say which commit it deployed."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.receivers.payloads import Payload, tidy_text, tidy_url
from miniapm.domain.receivers.values import Heard, Receiver

_STATUSES = {"deployment_success": "succeeded", "deployment_failed": "failed"}


def read_coolify(value: Mapping[str, Any], receiver: Receiver) -> Heard:
    """What a notification says. Invalid names every bad field."""
    payload = Payload(value)
    status = _STATUSES.get(payload.required("event"))
    is_preview = bool(payload.number("pull_request_id")) or payload.has("preview_fqdn")
    deployment = payload.required("deployment_uuid") if status and not is_preview else ""
    deploy = {
        "id": deployment,
        "env": payload.text("environment"),
        "service": payload.text("application_name"),
        "status": status,
        "description": tidy_text(payload.text("message")),
        "url": tidy_url(payload.text("deployment_url")),
    }
    payload.refuse_bad()
    if status is None:
        return Heard(skipped="This event tells of no deploy.")
    if is_preview:
        return Heard(skipped="It is a preview of a pull request.")
    return Heard(deploy=deploy, is_nameless=True)


def find_delivery(value: Mapping[str, Any]) -> str | None:
    """What is the same when Coolify sends it again."""
    payload = Payload(value)
    deployment, event = payload.text("deployment_uuid"), payload.text("event")
    return f"{deployment}:{event}" if deployment and event else None
