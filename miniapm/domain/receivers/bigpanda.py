"""BigPanda's deployments: one call where it starts, one where it ends."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {
    "git_sha": "version",
    "version": "version",
    "service": "component",
    "env": "env",
    "deployer": "owner",
    "description": "description",
    "timestamp": "timestamp",
}
_OUTCOMES = {"success": "succeeded", "failure": "failed"}


def read_bigpanda_start(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy that begins. Invalid names every bad field."""
    return read_deploy(Payload(value), _NAMES, defaults, now, status="started")


def read_bigpanda_end(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy that ends. Invalid names every bad field."""
    payload = Payload(value)
    said = payload.required("status")
    if said and said not in _OUTCOMES:
        payload.problems["status"] = f"must be one of {', '.join(_OUTCOMES)}"
    names = {**_NAMES, "description": "errorMessage"}
    return read_deploy(payload, names, defaults, now, status=_OUTCOMES.get(said))
