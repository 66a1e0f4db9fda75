"""Honeycomb's markers: their message has the revision, if anything has it."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.events import read_event
from miniapm.domain.receivers.payloads import Payload, tidy_text, tidy_url
from miniapm.domain.receivers.translating import announce_as
from miniapm.exceptions import Invalid

_EVERY_DATASET = "__all__"
_ECHOED = ("message", "type", "url", "start_time", "end_time")
_NAMES = {"git_sha": "message", "title": "message", "timestamp": "end_time"}
_TYPES = ("deploy", "release")
_NO_REVISION = "names no revision: a commit, or a version such as 1.2.3"


def read_honeycomb(
    dataset: str, value: Mapping[str, Any], defaults: Defaults, now: int
) -> Announcement:
    """The deploy of a marker, of the service that its dataset is named by. Invalid names every bad
    field; a marker of another type is one."""
    payload = Payload(value)
    kind = payload.text("type")
    if kind is not None and not any(word in kind.lower() for word in _TYPES):
        payload.problems["type"] = f"must be {' or '.join(_TYPES)}: other markers are not kept"
    message = tidy_text(payload.required("message")) or ""
    start, end = payload.instant("start_time"), payload.instant("end_time")
    url = tidy_url(payload.text("url"))
    payload.refuse_bad()
    fields = {
        **_read_message(message, url or ""),
        "tags": None,
        "service": None if dataset == _EVERY_DATASET else dataset,
        "url": url,
        "timestamp": start if end is None else end,
        "started_at": None if end is None else start,
    }
    return announce_as(fields, _NAMES, defaults, now)


def echo_marker(value: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer repeats of a marker that was understood."""
    said = {name: value[name] for name in _ECHOED if name in value}
    return {name: tidy_text(one) if isinstance(one, str) else one for name, one in said.items()}


def _read_message(message: str, url: str) -> dict[str, Any]:
    try:
        found = read_event(message, url, ("deploy",))
    except Invalid:
        problem = {"message": _NO_REVISION}
        raise Invalid(f"The message {_NO_REVISION}.", problem) from None
    return {name: found.get(name) for name in ("git_sha", "version", "title")}
