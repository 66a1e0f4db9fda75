"""Heroku's app webhooks: releases of code. Each change of a config var or an add-on is a release,
too, of the code that runs already: those are no deploys."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.values import Commit
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text
from miniapm.domain.receivers.values import Heard, Receiver

_STATUSES = {"pending": "started", "succeeded": "succeeded", "failed": "failed"}
_OF_CODE = ("deploy", "promote", "rollback")


def read_heroku(value: Mapping[str, Any], receiver: Receiver) -> Heard:
    """What a delivery says. Invalid names every bad field."""
    payload = Payload(value)
    resource = payload.required("resource")
    if resource and resource != "release":
        return Heard(skipped="This event tells of no release.")
    heard = _read_release(payload)
    payload.refuse_bad()
    return heard


def _read_release(payload: Payload) -> Heard:
    description = payload.required("data.description")
    said = payload.required_name("data.status")
    if payload.problems:
        return Heard()
    if not description.lower().startswith(_OF_CODE):
        told = tidy_name(description) or "it has no description"
        return Heard(skipped=f"The release is no code: {told}.")
    status = _STATUSES.get(said)
    if status is None or payload.text("action") == "destroy":
        return Heard(skipped=f"The release is {said}.")
    if status == "succeeded" and payload.flag("data.current") is False:
        return Heard(skipped="The release does not run yet, or any more.")
    number = payload.number("data.version")
    is_over = status != "started"
    changed = payload.text("data.updated_at") or payload.text("published_at")
    # images have no slug: Heroku does not know of which commit they are
    sha = payload.text("data.slug.commit")
    release = payload.text("data.id")
    app = payload.text("data.app.id") or payload.text("data.app.name")
    deploy = {
        "id": release or (f"{app}:{number}" if app and number else None),
        "git_sha": sha,
        "version": None if number is None else f"v{number}",
        "status": status,
        "timestamp": changed if is_over else payload.text("data.created_at"),
        "started_at": payload.text("data.created_at") if is_over else None,
        "deployer": tidy_name(payload.text("actor.email") or payload.text("data.user.email")),
        "description": tidy_text(description),
    }
    return Heard(deploy=deploy, head=_read_head(payload, sha), is_nameless=sha is None)


def _read_head(payload: Payload, sha: str | None) -> Commit | None:
    # `  * jane: Round the totals`
    told = tidy_text(payload.text("data.slug.commit_description"))
    if sha is None or told is None:
        return None
    author, _, message = told.strip().removeprefix("*").strip().partition(": ")
    return Commit(sha, None, message or author, tidy_name(author) if message else None)


def find_delivery(value: Mapping[str, Any]) -> str | None:
    """Heroku's id of a delivery, the same in all its attempts."""
    payload = Payload(value)
    return payload.text("webhook_metadata.delivery.id") or payload.text("id")
