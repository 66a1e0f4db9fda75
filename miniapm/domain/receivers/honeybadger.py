"""Honeybadger's deploys: `deploy` with its fields, or the fields alone."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import nest, read_deploy
from miniapm.domain.receivers.payloads import Payload

_NAMES = {
    "git_sha": "revision",
    "env": "environment",
    "repository": "repository",
    "deployer": "local_username",
}
_WITHIN = {ours: f"deploy.{theirs}" for ours, theirs in _NAMES.items()}


def read_honeybadger(fields: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in a form, a query or decoded JSON. Invalid names every bad field."""
    value = nest(fields)
    names = _WITHIN if "deploy" in value else _NAMES
    return read_deploy(Payload(value), names, defaults, now)
