"""Correcting a deploy: which fields a person may change, checked by the rules of the way in."""

from collections.abc import Mapping
from typing import Any

import msgspec

from miniapm.domain.deploys.payload import Defaults, announce
from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.exceptions import Invalid

CORRECTABLE = (
    "git_sha",
    "version",
    "env",
    "service",
    "deployer",
    "title",
    "description",
    "tags",
    "timestamp",
    "started_at",
    "status",
    "url",
    "repository",
)
_REQUIRED = frozenset({"git_sha", "env", "service", "timestamp", "status", "tags"})
_COLUMNS = {"timestamp": "deployed_at"}


def correct_deploy(deploy: Deploy, given: Mapping[str, Any], now: int) -> Deploy:
    """`deploy` with the fields in `given`, as JSON decoded them; null or "" empties a field.

    Invalid names every field that is bad, unknown, or may not be empty.
    """
    problems = {
        name: "cannot be changed" if hasattr(deploy, name) else "is no field of a deploy"
        for name in given
        if name not in CORRECTABLE
    }
    emptied = {n for n, v in given.items() if v is None or v == "" or v == []}
    problems |= dict.fromkeys(emptied & _REQUIRED - {"tags"}, "cannot be empty")
    announcement: Announcement | None = None
    try:
        announcement = announce(
            _as_payload(deploy, given, emptied),
            Defaults(deploy.project_id, deploy.service),
            now,
            source="api",
        )
    except Invalid as error:
        problems |= {n: reason for n, reason in error.fields.items() if n not in problems}
    if problems or announcement is None:
        name, reason = next(iter(problems.items()))
        raise Invalid(f"{name} {reason}.", problems)
    return msgspec.structs.replace(deploy, **_changes(announcement, given, emptied))


def _as_payload(deploy: Deploy, given: Mapping[str, Any], emptied: set[str]) -> dict[str, Any]:
    """The whole deploy as it would be sent, so that rules across fields are judged too."""
    payload: dict[str, Any] = {
        "git_sha": deploy.git_sha,
        "timestamp": deploy.deployed_at,
        "started_at": deploy.started_at,
        **{name: value for name, value in given.items() if name in CORRECTABLE},
    }
    return {name: value for name, value in payload.items() if name not in emptied}


def _changes(
    announcement: Announcement, given: Mapping[str, Any], emptied: set[str]
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in given:
        column = _COLUMNS.get(name, name)
        if name in emptied:
            changes[column] = () if name == "tags" else None
        else:
            changes[column] = (
                announcement.at if name == "timestamp" else getattr(announcement, name)
            )
    return changes
