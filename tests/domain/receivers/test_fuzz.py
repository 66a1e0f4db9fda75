"""Whatever is sent: it is understood, or refused with the names of what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.announcing import announce_heard
from miniapm.domain.receivers.cdevents import open_event, read_cdevents
from miniapm.domain.receivers.coolify import find_delivery as find_of_coolify
from miniapm.domain.receivers.coolify import read_coolify
from miniapm.domain.receivers.delivery_ids import name_delivery
from miniapm.domain.receivers.github import read_github
from miniapm.domain.receivers.gitlab import read_gitlab
from miniapm.domain.receivers.heroku import find_delivery as find_of_heroku
from miniapm.domain.receivers.heroku import read_heroku
from miniapm.domain.receivers.values import Heard, Receiver
from miniapm.exceptions import Invalid
from tests.domain.receivers.odd_payloads import any_objects, make_odd, paths_of, replace_at
from tests.factories import START

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
Read = Callable[[dict[str, Any], Receiver], Heard]


def _read_heroku(value: dict[str, Any], receiver: Receiver) -> Heard:
    _check_delivery(find_of_heroku(value))
    return read_heroku(value, receiver)


def _read_coolify(value: dict[str, Any], receiver: Receiver) -> Heard:
    _check_delivery(find_of_coolify(value))
    return read_coolify(value, receiver)


def _read_event(value: dict[str, Any], receiver: Receiver) -> Heard:
    event = open_event(value, dict.fromkeys(("ce-id", "ce-source", "ce-type"), ""))
    _check_delivery(event.delivery)
    return read_cdevents(event, receiver)


def _check_delivery(sent: str | None) -> None:
    """It can be stored."""
    assert name_delivery(sent, b"").encode()


READERS: dict[str, Read] = {
    "github/deployment_status.success": lambda v, r: read_github("deployment_status", v, r),
    "github/workflow_run.completed": lambda v, r: read_github("workflow_run", v, r),
    "github/push.branch": lambda v, r: read_github("push", v, r),
    "gitlab/deployment": read_gitlab,
    "gitlab/push": read_gitlab,
    "heroku/release": _read_heroku,
    "coolify/deployment_success": _read_coolify,
    "cdevents/service.deployed": _read_event,
}
every_reader = pytest.mark.parametrize("name", READERS)


def make_receiver(name: str) -> Receiver:
    return Receiver(
        id=1,
        project_id=1,
        project_slug="shop",
        kind=name.partition("/")[0],  # type: ignore[arg-type]
        display="abc",
        secret="s",
        created_at=START,
        workflows=("test.yml",) if "run" in name else (),
    )


def load(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return payload


def hear(name: str, payload: dict[str, Any]) -> Heard | None:
    """What is heard, checked to be storable; None when it is refused, with names."""
    receiver = make_receiver(name)
    try:
        heard = READERS[name](payload, receiver)
        announcement = announce_heard(heard, receiver, START)
    except Invalid as refusal:
        reasons = list(refusal.fields.values())
    else:
        reasons = []
        _check(heard, announcement)
        return heard
    assert reasons
    assert all(reasons)
    return None


def _check(heard: Heard, announcement: Announcement | None) -> None:
    """One thing is told, and all of it can be stored."""
    kinds = (announcement is not None, heard.push is not None, bool(heard.skipped))
    assert sum(kinds) == 1
    assert " None" not in heard.skipped
    # lone surrogates could not be
    msgspec.json.encode(heard)
    msgspec.json.encode(announcement)


@every_reader
def test_recorded_payloads_are_understood(name: str) -> None:
    heard = hear(name, load(name))
    assert heard is not None
    assert not heard.skipped


@every_reader
def test_half_a_character_anywhere(name: str) -> None:
    payload = load(name)
    for path in paths_of(payload):
        hear(name, replace_at(payload, path, "\ud800"))


@every_reader
@settings(max_examples=300)
@given(st.data())
def test_a_recorded_payload_with_odd_parts(name: str, data: st.DataObject) -> None:
    hear(name, make_odd(load(name), data))


@every_reader
@settings(max_examples=100)
@given(any_objects)
def test_any_object(name: str, payload: dict[str, Any]) -> None:
    hear(name, payload)
