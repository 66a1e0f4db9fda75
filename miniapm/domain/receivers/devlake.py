"""Apache DevLake's deployments: one for all commits, of one repository or several, that went out
together."""

from collections.abc import Mapping
from typing import Any

import msgspec

from miniapm.domain.deploys.commits import is_sha
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.domain.receivers.clients import read_deploy, tidy_repository
from miniapm.domain.receivers.payloads import Payload, tidy_text

_COMMITS = "deploymentCommits"
_NAMES = {
    "id": "id",
    "env": "originalEnvironment",
    "title": "displayTitle",
    "description": "name",
    "timestamp": "finishedDate",
    "started_at": "startedDate",
}
_RESULTS = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "FAILED": "failed",
    "ABORT": "cancelled",
    "ABORTED": "cancelled",
    "CANCELLED": "cancelled",
}


def read_devlake(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in decoded JSON: that of its first commit, which brought the others. Invalid names
    every bad field."""
    payload = Payload(value)
    result = payload.text("result") or "SUCCESS"
    if result.upper() not in _RESULTS:
        payload.problems["result"] = "must be SUCCESS, FAILURE or ABORT"
    items = payload.items(_COMMITS)
    if not items and not any(name.startswith(_COMMITS) for name in payload.problems):
        payload.problems[_COMMITS] = "must name at least one commit"
    commits = [_read_commit(item) for item in items]
    env = payload.text("originalEnvironment") or (payload.text("environment") or "").lower()
    announcement = read_deploy(
        payload,
        {**_NAMES, "git_sha": f"{_COMMITS}[0].commitSha"},
        defaults,
        now,
        git_sha=commits[0].sha or None if commits else None,
        repository=tidy_repository(items[0].text("repoUrl")) if items else None,
        env=env or None,
        status=_RESULTS.get(result.upper()),
    )
    return msgspec.structs.replace(announcement, commits=_list_commits(commits))


def _read_commit(item: Payload) -> Commit:
    return Commit(item.required("commitSha"), None, tidy_text(item.text("commitMsg")))


def _list_commits(commits: list[Commit]) -> tuple[Commit, ...]:
    found: dict[str, Commit] = {}
    for commit in commits:
        if is_sha(commit.sha):
            found.setdefault(commit.sha, commit)
    return tuple(found.values())
