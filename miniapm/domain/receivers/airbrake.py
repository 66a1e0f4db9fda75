"""Airbrake's deploys, version 4 of its API."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {
    "git_sha": "revision",
    "version": "version",
    "env": "environment",
    "repository": "repository",
    "deployer": "username",
}


def read_airbrake(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in a form or decoded JSON. Invalid names every bad field."""
    return read_deploy(Payload(value), _NAMES, defaults, now)
