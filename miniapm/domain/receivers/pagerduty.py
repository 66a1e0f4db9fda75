"""PagerDuty's change events; those that name a revision are deploys."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import read_deploy
from miniapm.domain.receivers.payloads import Payload, tidy_url

_DETAILS = {
    "git_sha": "revision",
    "version": "version",
    "service": "service",
    "env": "environment",
    "deployer": "user",
    "repository": "repo",
}
_NAMES = {
    **{ours: f"payload.custom_details.{theirs}" for ours, theirs in _DETAILS.items()},
    "title": "payload.summary",
    "timestamp": "payload.timestamp",
}


def read_pagerduty(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy that a change event tells of. Invalid names every bad field."""
    payload = Payload(value)
    links = [tidy_url(link.text("href")) for link in payload.items("links")]
    return read_deploy(payload, _NAMES, defaults, now, url=next(filter(None, links), None))
