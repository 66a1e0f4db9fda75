"""GitHub's webhooks: deployment statuses, runs of chosen workflows, pushes.

A receiver with chosen workflows takes their runs, and no deployment that a workflow made: else a
run that makes one would count twice.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
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

_STATES = {
    "in_progress": "started",
    "success": "succeeded",
    "failure": "failed",
    "error": "failed",
}
_CONCLUSIONS = {
    "success": "succeeded",
    "failure": "failed",
    "startup_failure": "failed",
    "timed_out": "failed",
    "cancelled": "cancelled",
}
_OF_PULL_REQUESTS = ("pull_request", "pull_request_target", "merge_group")


def read_github(event: str, value: Mapping[str, Any], receiver: Receiver) -> Heard:
    """What a delivery of the X-GitHub-Event `event` says. Invalid names every bad field."""
    payload = Payload(value)
    if event == "deployment_status":
        heard = _read_deployment(payload, receiver)
    elif event == "workflow_run":
        heard = _read_run(payload, receiver)
    elif event == "push":
        heard = _read_push(payload, receiver)
    elif event == "deployment":
        heard = Heard(skipped="A deployment counts once a deployment_status says that it runs.")
    elif event == "ping":
        heard = Heard(skipped="GitHub reaches this address.")
    else:
        heard = Heard(skipped="This event tells of no deploy.")
    payload.refuse_bad()
    return heard


def _read_deployment(payload: Payload, receiver: Receiver) -> Heard:
    state = payload.required_name("deployment_status.state")
    status = _STATES.get(state)
    if status is None:
        return Heard(skipped=f"The deployment is {state}: nothing runs yet, or any more.")
    if receiver.workflows and payload.has("workflow_run"):
        return Heard(skipped="A workflow made this deployment; here the runs themselves count.")
    sha = payload.sha("deployment.sha")
    ref = (payload.text("deployment.ref") or sha).removeprefix("refs/heads/")
    # a deployment of a commit names no branch
    if receiver.branch is not None and ref not in (receiver.branch, sha):
        return Heard(skipped=f"It is of {tidy_branch(ref)}, not of {receiver.branch}.")
    number = payload.number("deployment.id")
    log = payload.text("deployment_status.log_url") or payload.text("deployment_status.target_url")
    deploy = {
        "id": None if number is None else f"deployment:{number}",
        "git_sha": sha,
        "env": payload.text("deployment_status.environment")
        or payload.text("deployment.environment"),
        "status": status,
        "timestamp": payload.text("deployment_status.created_at"),
        "deployer": tidy_name(payload.text("deployment.creator.login")),
        "description": tidy_text(
            payload.text("deployment_status.description") or payload.text("deployment.description")
        ),
        "url": tidy_url(log),
        "repository": _repository(payload),
    }
    return Heard(deploy=deploy)


def _read_run(payload: Payload, receiver: Receiver) -> Heard:
    skipped = _skip_run(payload, receiver)
    if skipped:
        return Heard(skipped=skipped)
    how = action = payload.required_name("action")
    if action == "completed":
        how = tidy_name(payload.text("workflow_run.conclusion")) or "without a conclusion"
    status = "started" if action == "in_progress" else _CONCLUSIONS.get(how)
    if action not in ("in_progress", "completed") or status is None:
        return Heard(skipped=f"The run is {how}: it deployed nothing.")
    is_over = status != "started"
    started_at = payload.text("workflow_run.run_started_at")
    number = payload.number("workflow_run.id")
    attempt = payload.number("workflow_run.run_attempt") or 1
    sha = payload.sha("workflow_run.head_sha")
    deploy = {
        "id": None if number is None else f"run:{number}:{attempt}",
        "git_sha": sha,
        "status": status,
        "timestamp": payload.text("workflow_run.updated_at") if is_over else started_at,
        "started_at": started_at if is_over else None,
        "deployer": tidy_name(
            payload.text("workflow_run.triggering_actor.login")
            or payload.text("workflow_run.actor.login")
        ),
        "description": tidy_text(payload.text("workflow_run.display_title")),
        "url": tidy_url(payload.text("workflow_run.html_url")),
        "repository": _repository(payload),
    }
    return Heard(deploy=deploy, head=_read_head(payload, sha))


def _skip_run(payload: Payload, receiver: Receiver) -> str:
    if not receiver.workflows:
        return "No workflow was chosen; `--workflow NAME` chooses one for a new receiver."
    name = payload.text("workflow_run.name") or ""
    path = payload.text("workflow_run.path") or ""
    names = (name, path, PurePosixPath(path.partition("@")[0]).name)
    if not {each.casefold() for each in names} & {each.casefold() for each in receiver.workflows}:
        return f"The workflow {tidy_name(name or path) or 'without a name'} was not chosen."
    if payload.text("workflow_run.event") in _OF_PULL_REQUESTS:
        return "It ran for a pull request: nothing was deployed."
    branch = payload.text("workflow_run.head_branch")
    if receiver.branch is not None and branch != receiver.branch:
        return f"It ran on {tidy_branch(branch)}, not on {receiver.branch}."
    return ""


def _read_head(payload: Payload, sha: str) -> Commit | None:
    message = tidy_text(payload.text("workflow_run.head_commit.message"))
    at = payload.instant("workflow_run.head_commit.timestamp")
    author = tidy_name(payload.text("workflow_run.head_commit.author.name"))
    return Commit(sha, at, message, author) if sha and (message or at is not None) else None


def _read_push(payload: Payload, receiver: Receiver) -> Heard:
    ref = payload.required("ref")
    wanted = receiver.branch or payload.text("repository.default_branch")
    if not ref.startswith("refs/heads/") or payload.flag("deleted"):
        return Heard(skipped="It brought no commits to a branch.")
    branch = ref.removeprefix("refs/heads/")
    if wanted is not None and branch != wanted:
        return Heard(
            skipped=f"The commits are on {tidy_branch(branch)}, not on {tidy_branch(wanted)}."
        )
    commits = tuple(read_commit(item) for item in payload.items("commits"))
    repository = _repository(payload)
    if repository is None:
        payload.required("repository.html_url")
    if not commits or repository is None:
        return Heard(skipped="It brought no commits to a branch.")
    return Heard(
        push=Push(repository, branch[:200], commits, payload.instant("repository.pushed_at"))
    )


def _repository(payload: Payload) -> str | None:
    return tidy_url(payload.text("repository.html_url"))
