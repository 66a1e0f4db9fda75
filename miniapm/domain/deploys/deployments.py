"""The body of `POST /deployments`, the second source document's API, as an Announcement."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from miniapm.domain.deploys.payload import Defaults, Instant, Text100, Text200, announce
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
        if all(isinstance(sha, str) for sha in shas):
            cleaned = [sha.strip() for sha in shas if sha.strip()]
            values["git_sha"] = cleaned[0] if cleaned else None
            merged = tuple(Commit(sha) for sha in dict.fromkeys(cleaned))
        else:
            values.pop("git_sha")
            problems["commitSha"] = "must be text or a list of texts"
    if _is_blank(values.get("env")):
        problems["environmentName"] = "is required"
    try:
        announcement = announce(values, defaults, now, source="api", every_call_counts=True)
    except Invalid as error:
        theirs = {_BACK.get(name, name): reason for name, reason in error.fields.items()}
        problems = {**theirs, **problems}
    if problems:
        name, reason = next(iter(problems.items()))
        rest = [other for other in problems if other != name]
        also = f"; also look at {', '.join(rest)}" if rest else ""
        raise Invalid(f"{name} {reason}{also}", problems)
    return msgspec.structs.replace(announcement, commits=merged)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
