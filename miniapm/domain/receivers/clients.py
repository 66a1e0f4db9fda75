"""Reading what the clients of other services announce, by tables of their names for our fields."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from miniapm.domain.deploys.commits import is_sha
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.texts import clean_repository
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text, tidy_url
from miniapm.domain.receivers.translating import announce_as

_TIMES = ("timestamp", "started_at")
_NESTED = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")
# `github.com/acme/shop`, as some write it
_WITHOUT_SCHEME = re.compile(r"[\w-]+(?:\.[\w-]+)+/[^\s:]+", re.ASCII)


def read_deploy(
    payload: Payload,
    names: Mapping[str, str],
    defaults: Defaults,
    now: int,
    **known: Any,
) -> Announcement:
    """The deploy that a client announces; Invalid names every bad field as the client does.

    `names` are paths in the payload by our fields; `known` are fields that are no mere copies.
    Where nobody says the commit, the version stands for it. No deploy is lost for a bad link or a
    long name: only what tells deploys apart must be as `POST /ingest/deploys` wants it.
    """
    fields = {ours: _read_field(payload, ours, theirs) for ours, theirs in names.items()} | known
    payload.refuse_bad()
    version = fields.get("version")
    fields["git_sha"] = fields.get("git_sha") or version
    if version is not None and version == fields["git_sha"] and is_sha(version):
        fields["version"] = None
    return announce_as(fields, names, defaults, now)


def nest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form, `deploy[revision]` as `revision` within `deploy`."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        match = _NESTED.fullmatch(name)
        place = nested.setdefault(match[1], {}) if match else nested
        if isinstance(place, dict):
            place[match[2] if match else name] = value
    return nested


def tidy_repository(text: str | None) -> str | None:
    """The address of a repository; None for anything else, such as `acme/shop`."""
    address = (text or "").strip()
    if _WITHOUT_SCHEME.fullmatch(address):
        address = f"https://{address}"
    try:
        return clean_repository(address)[:2000] if address.isprintable() else None
    except ValueError:
        return None


_TIDY: dict[str, Callable[[str | None], str | None]] = {
    "deployer": tidy_name,
    "description": tidy_text,
    "repository": tidy_repository,
    "title": tidy_text,
    "url": tidy_url,
}


def _read_field(payload: Payload, ours: str, theirs: str) -> str | int | None:
    if ours in _TIMES:
        return payload.instant(theirs)
    text = payload.text(theirs)
    tidy = _TIDY.get(ours)
    return text if tidy is None else tidy(text)
