"""Whatever stands anywhere in a payload: it is read, or refused with the names of what is wrong."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from miniapm.domain.receivers import coolify, heroku
from miniapm.domain.receivers.announcing import announce_heard
from miniapm.domain.receivers.cdevents import open_event, read_cdevents
from miniapm.domain.receivers.github import read_github
from miniapm.domain.receivers.gitlab import read_gitlab
from miniapm.domain.receivers.values import Heard, Receiver
from miniapm.exceptions import Invalid
from tests.factories import START
from tests.web.hook_samples import SENDERS, Sender

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, 1e308, "", " ", "x", "\x00", "\ud800", "x" * 300, "${SHA}",
    "9" * 19, "2024-02-30T00:00:00Z", [], [1], {}, {"x": 1},
)  # fmt: skip


def read(sender: Sender, payload: dict[str, Any]) -> Heard:
    receiver = Receiver(
        id=1,
        project_id=1,
        project_slug="shop",
        kind=sender.kind,  # type: ignore[arg-type]
        display="abc",
        secret="",
        created_at=START,
        workflows=sender.workflows,
    )
    if sender.kind == "github":
        heard = read_github(sender.event, payload, receiver)
    elif sender.kind == "gitlab":
        heard = read_gitlab(payload, receiver)
    elif sender.kind == "heroku":
        heroku.find_delivery(payload)
        heard = heroku.read_heroku(payload, receiver)
    elif sender.kind == "coolify":
        coolify.find_delivery(payload)
        heard = coolify.read_coolify(payload, receiver)
    else:
        frame = {"ce-id": "1", "ce-source": "/", "ce-type": sender.event}
        heard = read_cdevents(open_event(payload, frame), receiver)
    announce_heard(heard, receiver, START)
    return heard


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, child in items:
        yield from paths_of(child, (*path, key))


def put(payload: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(payload)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS.keys())
def test_odd_values_anywhere(sender: Sender) -> None:
    assert read(sender, sender.said) != Heard()
    refused = []
    for path in paths_of(sender.said):
        for odd in ODD:
            try:
                read(sender, put(sender.said, path, odd))
            except Invalid as error:
                refused.append(error.fields)
    assert refused
    assert all(refused)
    assert json.dumps([dict(fields) for fields in refused])
