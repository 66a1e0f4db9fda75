"""The body of `POST /deployments`, the second source document's API, as an Announcement."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.payload import MAX_COMMITS, Instant, Text100, Text200
from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.texts import find_control
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

_NAMES = {
    "commitSha": "git_sha",
    "environmentName": "env",
    "deployedAt": "timestamp",
    "title": "title",
    "tags": "tags",
}
_BACK = {ours: theirs for theirs, ours in _NAMES.items()}


class DeploymentPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /deployments`."""

    commitSha: Annotated[
        Text200 | list[Text200],
        Meta(description="The deployed commit, or a list whose first one is deployed"),
    ]
    environmentName: Text100
    deployedAt: Instant | None = None
    title: str | None = None
    tags: str | list[str] | None = None


def parse_deployment(body: bytes | bytearray, defaults: Defaults, now: int) -> Announcement:
    """The announcement in `body`; Invalid names the bad fields as the document calls them."""
    given = decode_object(body)
    values: dict[str, Any] = {
        ours: given[theirs] for theirs, ours in _NAMES.items() if theirs in given
    }
    problems: dict[str, str] = {}
    shas = values.get("git_sha")
    merged: tuple[Commit, ...] = ()
    if isinstance(shas, list):
        values["git_sha"] = next(iter(shas), None)
        merged = _check_shas(shas, problems)
    if _is_blank(values.get("env")):
        problems["environmentName"] = "is required"
    try:
        announcement = announce(values, defaults, now, source="api", every_call_counts=True)
    except Invalid as error:
        theirs = {_BACK.get(name, name): reason for name, reason in error.fields.items()}
        problems = {**theirs, **problems}
    if problems:
        raise Invalid(summarise(problems), problems)
    return msgspec.structs.replace(announcement, commits=merged)


def _check_shas(shas: list[Any], problems: dict[str, str]) -> tuple[Commit, ...]:
    """The commits that a list of shas stands for; their times are not known."""
    if len(shas) > MAX_COMMITS:
        problems["commitSha"] = f"must be at most {MAX_COMMITS} entries long"
        return ()
    commits: dict[str, Commit] = {}
    for index, item in enumerate(shas):
        sha = item.strip() if isinstance(item, str) else ""
        if not sha or len(sha) > 200 or find_control(sha):
            problems[f"commitSha[{index}]"] = "must be text of 1 to 200 characters"
        else:
            commits.setdefault(sha, Commit(sha))
    return tuple(commits.values())


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
