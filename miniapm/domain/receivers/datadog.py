"""What Datadog's clients send of deploys: DORA deployments, and events with tags."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.events import list_tags, read_event
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text
from miniapm.domain.receivers.translating import announce_as
from miniapm.exceptions import Invalid

_DORA_NAMES = {
    "git_sha": "git.commit_sha",
    "repository": "git.repository_url",
    "started_at": "started_at",
    "timestamp": "finished_at",
    "tags": "custom_tags",
}
_EVENT_NAMES = {"timestamp": "date_happened", "git_sha": "tags", "description": "text"}
_FAILED = "error"


def announce_dora(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in the body of `POST /api/v2/dora/deployment`. Where nobody says the commit, the
    version stands for it; without an end it is as old as its start. Invalid names the bad fields.
    """
    payload = Payload(value)
    attributes = _find_attributes(value)
    git = attributes.get("git")
    git = git if isinstance(git, Mapping) else {}
    team = payload.text("data.attributes.team")
    payload.refuse_bad()
    version, started_at = attributes.get("version"), attributes.get("started_at")
    finished_at = attributes.get("finished_at")
    fields = {
        "id": attributes.get("id"),
        "service": attributes.get("service"),
        "env": attributes.get("env"),
        "version": version,
        "git_sha": git.get("commit_sha") or version,
        "repository": git.get("repository_url"),
        "started_at": started_at if finished_at is not None else None,
        "timestamp": finished_at if finished_at is not None else started_at,
        "tags": _add_team(attributes.get("custom_tags"), team),
    }
    if fields["git_sha"] is None:
        wrong = "is missing, and so is version: give one of them"
        raise Invalid(f"git.commit_sha {wrong}.", {"git.commit_sha": wrong})
    return announce_as(fields, _DORA_NAMES, defaults, now)


def announce_event(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in the body of `POST /api/v1/events`; Invalid where it is none."""
    payload = Payload(value)
    title, text = payload.required("title"), payload.text("text") or ""
    payload.refuse_bad()
    fields = read_event(title, text, list_tags(value.get("tags"), ","))
    status = "failed" if value.get("alert_type") == _FAILED else None
    fields = {"status": status, **fields, "timestamp": value.get("date_happened")}
    return announce_as(fields, _EVENT_NAMES, defaults, now)


def echo_event(value: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer repeats of an event that was understood."""
    payload = Payload(value)
    return {
        "handle": tidy_name(payload.text("handle")),
        "title": tidy_text(payload.text("title")),
        "text": tidy_text(payload.text("text")),
        "priority": tidy_name(payload.text("priority")) or "normal",
        "tags": [tidy_name(tag) for tag in list_tags(value.get("tags"), ",")],
        "related_event_id": None,
    }


def _find_attributes(value: Mapping[str, Any]) -> Mapping[str, Any]:
    data = value.get("data")
    attributes = data.get("attributes") if isinstance(data, Mapping) else None
    if not isinstance(attributes, Mapping):
        raise Invalid("data.attributes must be an object.", {"data.attributes": "is missing"})
    return attributes


def _add_team(tags: Any, team: str | None) -> Any:
    if team is None or not isinstance(tags, list | None):
        return tags
    return [*(tags or []), f"team:{team}"]
