"""Bugsnag's builds: a version, and the commit that it was built from where the sender knows it."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {
    "git_sha": "sourceControl.revision",
    "version": "appVersion",
    "env": "releaseStage",
    "repository": "sourceControl.repository",
    "deployer": "builderName",
}


def read_bugsnag(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy that a build stands for. Invalid names every bad field."""
    payload = Payload(value)
    payload.required("appVersion")
    return read_deploy(payload, _NAMES, defaults, now)
