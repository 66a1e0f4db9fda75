"""CDEvents in CloudEvents: a service was deployed, upgraded or rolled back.

Takes CloudEvents in binary mode (the event in headers, its data in the body), in structured mode
(all in the body), and the bare CDEvent.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from miniapm.domain.receivers.delivery_ids import fit_id
from miniapm.domain.receivers.payloads import Payload, tidy_name
from miniapm.domain.receivers.values import Heard, Receiver
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

_PREFIX = "dev.cdevents.service."
_DEPLOYS = ("deployed", "upgraded", "rolledback")
_SHA_KEYS = ("git_sha", "gitSha", "commit", "commitSha", "commit_sha", "revision")
_MAX_QUERY = 4000
_SHA = re.compile("[0-9a-fA-F]{7,64}")


class CloudEvent(NamedTuple):
    """The frame, as far as it is told, and the CDEvent in it."""

    id: str
    source: str
    type: str
    data: Mapping[str, Any]

    @property
    def delivery(self) -> str | None:
        """By the specification, id and source name one event for ever."""
        return f"{self.source} {self.id}" if self.id and self.source else None


def open_event(value: Mapping[str, Any], headers: Mapping[str, str]) -> CloudEvent:
    """The event in a decoded body; `headers` are ce-id, ce-source and ce-type, "" where not sent.

    Invalid when it is neither a CloudEvent nor a CDEvent.
    """
    if headers["ce-type"]:
        return CloudEvent(headers["ce-id"], headers["ce-source"], headers["ce-type"], value)
    payload = Payload(value)
    if payload.has("specversion"):
        names = (payload.required("id"), payload.required("source"), payload.required("type"))
        payload.refuse_bad()
        return CloudEvent(*names, _open_data(value))
    if payload.has("context"):
        names = (
            payload.required("context.id"),
            payload.required("context.source"),
            payload.required("context.type"),
        )
        payload.refuse_bad()
        return CloudEvent(*names, value)
    raise Invalid(
        "This is no CloudEvent: the header ce-type, or specversion in the body, says what it is.",
        {"ce-type": "is missing"},
    )


def _open_data(value: Mapping[str, Any]) -> Mapping[str, Any]:
    data, packed = value.get("data"), value.get("data_base64")
    if isinstance(packed, str):
        try:
            return decode_object(base64.b64decode(packed, validate=True))
        except (binascii.Error, ValueError):
            raise Invalid("data_base64 is not base64.", {"data_base64": "is not base64"}) from None
    return data if isinstance(data, Mapping) else {}


def read_cdevents(event: CloudEvent, receiver: Receiver) -> Heard:
    """What an event says. Invalid names every bad field."""
    if event.type.removeprefix(_PREFIX).partition(".")[0] not in _DEPLOYS or not (
        event.type.startswith(_PREFIX)
    ):
        return Heard(skipped="This event tells of no deploy.")
    payload = Payload(event.data)
    artifact = _read_artifact(payload.text("subject.content.artifactId") or "")
    said = next(filter(None, (payload.text(f"customData.{key}") for key in _SHA_KEYS)), None)
    subject = payload.required("subject.id")
    sha = said or artifact.sha or artifact.version
    if not sha:
        is_there = payload.text("subject.content.artifactId")
        payload.problems.setdefault(
            "subject.content.artifactId",
            f"{'names no version' if is_there else 'is missing'}: what was deployed must be told "
            "there, or as the commit in customData.git_sha",
        )
    deploy = {
        # two sources may count alike
        "id": fit_id(f"{event.id} {event.source}".strip(), 200) or None,
        "git_sha": sha,
        "version": tidy_name(artifact.version),
        "env": payload.text("subject.content.environment.id"),
        "service": subject.rpartition("/")[2] or None,
        "timestamp": payload.text("context.timestamp"),
        "repository": artifact.repository,
    }
    payload.refuse_bad()
    return Heard(deploy=deploy)


class _Artifact(NamedTuple):
    version: str = ""
    sha: str = ""
    repository: str | None = None


def _read_artifact(purl: str) -> _Artifact:
    """What a package URL tells: `pkg:TYPE/NAME@VERSION?vcs_url=git+https://HOST/PATH@COMMIT`."""
    if not purl.startswith("pkg:"):
        return _Artifact()
    path, _, query = purl.partition("#")[0].partition("?")
    _, at, version = path.rpartition("@")
    source = parse_qs(query[:_MAX_QUERY]).get("vcs_url", [""])[0].removeprefix("git+")
    address, _, commit = source.rpartition("@")
    sha = commit if _SHA.fullmatch(commit) else ""
    is_link = sha and address.startswith(("https://", "http://"))
    return _Artifact(unquote(version) if at else "", sha, address[:2000] if is_link else None)
