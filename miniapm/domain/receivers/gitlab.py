"""GitLab's webhooks: the Deployment Hook and the Push Hook."""

import re
from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.values import Commit
from miniapm.domain.receivers.payloads import (
    Payload,
    read_commit,
    tidy_branch,
    tidy_name,
    tidy_text,
    tidy_url,
)
from miniapm.domain.receivers.values import Heard, Push, Receiver

_STATUSES = {
    "running": "started",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}
_COMMIT_PAGE = re.compile(r"/commits?/([0-9a-fA-F]{40,64})(?:[/?#]|$)")


def read_gitlab(value: Mapping[str, Any], receiver: Receiver) -> Heard:
    """What a delivery says, by its `object_kind`. Invalid names every bad field."""
    payload = Payload(value)
    kind = payload.text("object_kind")
    if kind is None and not payload.has("event_name"):
        payload.required("object_kind")
    if kind == "deployment":
        heard = _read_deployment(payload, receiver)
    elif kind == "push":
        heard = _read_push(payload, receiver)
    else:
        heard = Heard(skipped="This event tells of no deploy.")
    payload.refuse_bad()
    return heard


def _read_deployment(payload: Payload, receiver: Receiver) -> Heard:
    said = payload.required_name("status")
    status = _STATUSES.get(said)
    if status is None:
        return Heard(skipped=f"The deployment is {said}: nothing runs yet, or any more.")
    ref = payload.text("ref")
    if receiver.branch is not None and ref not in (None, receiver.branch):
        return Heard(skipped=f"It is of {tidy_branch(ref)}, not of {receiver.branch}.")
    sha = _read_sha(payload)
    deploy = {
        "id": _read_id(payload),
        "git_sha": sha,
        "env": payload.text("environment"),
        "status": status,
        # `2021-04-28 21:50:00 +0200`; old GitLabs do not say
        "timestamp": payload.text("status_changed_at"),
        "deployer": tidy_name(payload.text("user.username") or payload.text("user.name")),
        "url": tidy_url(payload.text("deployable_url")),
        "repository": tidy_url(payload.text("project.web_url")),
    }
    title = tidy_text(payload.text("commit_title"))
    return Heard(deploy=deploy, head=Commit(sha, None, title) if sha and title else None)


def _read_sha(payload: Payload) -> str:
    """The address of the commit is the only place that has the whole of its id."""
    match = _COMMIT_PAGE.search(payload.text("commit_url") or "")
    if match is None:
        return payload.sha("short_sha")
    short = payload.text("short_sha") or ""
    return match[1] if match[1].startswith(short) else payload.sha("short_sha")


def _read_id(payload: Payload) -> str | None:
    number = payload.number("deployment_id")
    if number is not None:
        return f"deployment:{number}"
    job = payload.number("deployable_id")
    return None if job is None else f"job:{job}"


def _read_push(payload: Payload, receiver: Receiver) -> Heard:
    ref = payload.required("ref")
    branch = ref.removeprefix("refs/heads/")
    wanted = receiver.branch or payload.text("project.default_branch")
    if wanted is not None and branch != wanted:
        return Heard(
            skipped=f"The commits are on {tidy_branch(branch)}, not on {tidy_branch(wanted)}."
        )
    commits = tuple(read_commit(item) for item in payload.items("commits"))
    repository = tidy_url(payload.text("project.web_url"))
    if repository is None:
        payload.required("project.web_url")
    if not commits or repository is None:
        return Heard(skipped="It brought no commits to a branch.")
    return Heard(push=Push(repository, branch[:200], commits))
