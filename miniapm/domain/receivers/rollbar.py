"""Rollbar's deploys, which begin and end: `started`, `succeeded`, `failed`, `timed_out`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement, Status
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text

_NAMES = {
    "git_sha": "revision",
    "env": "environment",
    "description": "comment",
    "deployer": "local_username",
}
_STATUSES: tuple[Status, ...] = ("started", "succeeded", "failed", "timed_out")


class RollbarChange(NamedTuple):
    """What a PATCH changes; None leaves a field as it is."""

    status: Status | None
    comment: str | None


def read_rollbar(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in a form or decoded JSON. Invalid names every bad field."""
    payload = Payload(value)
    status = _read_status(payload)
    announcement = read_deploy(
        payload,
        _NAMES,
        defaults,
        now,
        deployer=_read_deployer(payload),
        # nobody who sends to our own address may say that the time ran out
        status="failed" if status == "timed_out" else status,
    )
    return announcement if status is None else msgspec.structs.replace(announcement, status=status)


def read_rollbar_change(value: Mapping[str, Any]) -> RollbarChange:
    """What the body of a PATCH says. Invalid names every bad field."""
    payload = Payload(value)
    change = RollbarChange(_read_status(payload), tidy_text(payload.text("comment")))
    if change == RollbarChange(None, None):
        payload.problems.setdefault("status", "is missing")
    payload.refuse_bad()
    return change


def _read_deployer(payload: Payload) -> str | None:
    return tidy_name(payload.text("local_username") or payload.text("rollbar_username"))


def _read_status(payload: Payload) -> Status | None:
    said = payload.text("status")
    status = next((known for known in _STATUSES if known == said), None)
    if said is not None and status is None:
        payload.problems["status"] = f"must be one of {', '.join(_STATUSES)}"
    return status
