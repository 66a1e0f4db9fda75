"""LogRocket's releases: a version, and the application in the address."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {"git_sha": "version", "version": "version"}


def read_logrocket(
    application: str, value: Mapping[str, Any], defaults: Defaults, now: int
) -> Announcement:
    """The deploy that a release stands for. Invalid names every bad field."""
    return read_deploy(Payload(value), _NAMES, defaults, now, service=application)
