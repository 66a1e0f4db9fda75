"""AppSignal's deploy markers: as its gem pushes them, and as its API takes them."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {"git_sha": "revision", "repository": "repository", "deployer": "user"}
_WITHIN = {
    **{ours: f"marker.{theirs}" for ours, theirs in _NAMES.items()},
    "timestamp": "marker.created_at",
}


def read_appsignal_push(
    query: Mapping[str, str], value: Mapping[str, Any], defaults: Defaults, now: int
) -> Announcement:
    """The deploy that the gem pushes; the address names its service and environment. Invalid names
    every bad field."""
    names = {**_NAMES, "service": "name", "env": "environment"}
    return read_deploy(Payload({**value, **query}), names, defaults, now)


def read_appsignal_marker(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy of a marker. Invalid names every bad field; a marker of another kind is one."""
    payload = Payload(value)
    if payload.text("marker.kind") not in (None, "deploy"):
        payload.problems["marker.kind"] = "must be deploy: other markers are not kept"
    return read_deploy(payload, _WITHIN, defaults, now)
