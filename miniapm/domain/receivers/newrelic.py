"""New Relic's deployments, version 2 of its REST API: an application is found by its name first,
and its id stands in the address from then on.

Our id of an application is its name, so that nothing needs to be remembered.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.clients import nest, read_deploy
from miniapm.domain.receivers.payloads import Payload, tidy_text

_NAMES = {
    "git_sha": "deployment.revision",
    "deployer": "deployment.user",
    "description": "deployment.description",
    "timestamp": "deployment.timestamp",
}
# no client escapes these, and all send them back as they are
_PLAIN = re.compile(r"[A-Za-z0-9._-]*[A-Za-z._-][A-Za-z0-9._-]*")
_ENCODED = "~"


def read_application_name(fields: Mapping[str, Any]) -> str | None:
    """The name that `filter[name]` asks for, in a query or a form; None where it asks for all."""
    payload = Payload(nest(fields))
    name = payload.name("filter.name", 100)
    payload.refuse_bad()
    return name


def make_application_id(name: str) -> str:
    """An id that holds the name, and that clients can write into an address."""
    if _PLAIN.fullmatch(name):
        return name
    return _ENCODED + base64.urlsafe_b64encode(name.encode("utf-8", "replace")).decode().rstrip("=")


def read_application_id(application_id: str) -> str | None:
    """The name in an id of ours; None for a number, as New Relic itself gives them."""
    if not application_id.startswith(_ENCODED):
        return None if application_id.isdigit() else application_id
    packed = application_id.removeprefix(_ENCODED)
    try:
        return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, ValueError):
        return application_id


def read_newrelic(
    value: Mapping[str, Any], service: str | None, defaults: Defaults, now: int
) -> Announcement:
    """The deploy in decoded JSON, of the service that its address names, if any. Invalid names
    every bad field."""
    payload = Payload(value)
    parts = (payload.text(f"deployment.{name}") for name in ("description", "changelog"))
    description = tidy_text("\n\n".join(filter(None, parts)))
    return read_deploy(payload, _NAMES, defaults, now, service=service, description=description)
