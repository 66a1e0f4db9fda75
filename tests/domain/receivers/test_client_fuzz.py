"""Whatever a client of another service sends: it is a deploy, or refused with names."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.airbrake import read_airbrake
from miniapm.domain.receivers.appsignal import read_appsignal_marker, read_appsignal_push
from miniapm.domain.receivers.bigpanda import read_bigpanda_end, read_bigpanda_start
from miniapm.domain.receivers.bugsnag import read_bugsnag
from miniapm.domain.receivers.datadog import announce_dora, announce_event
from miniapm.domain.receivers.datadog_gate import GateQuestion, read_gate
from miniapm.domain.receivers.devlake import read_devlake
from miniapm.domain.receivers.grafana import announce_annotation, announce_graphite
from miniapm.domain.receivers.honeybadger import read_honeybadger
from miniapm.domain.receivers.honeycomb import read_honeycomb
from miniapm.domain.receivers.logrocket import read_logrocket
from miniapm.domain.receivers.newrelic import read_application_id, read_newrelic
from miniapm.domain.receivers.pagerduty import read_pagerduty
from miniapm.domain.receivers.rollbar import RollbarChange, read_rollbar, read_rollbar_change
from miniapm.domain.receivers.sentry import (
    Release,
    ReleaseReport,
    announce_release_deploy,
    merge_release,
    read_release,
    read_release_deploy,
)
from miniapm.exceptions import Invalid
from tests.domain.receivers.odd_payloads import any_objects, make_odd
from tests.web.receivers.client_call import FORM
from tests.web.receivers.client_calls import CAPTURED, find_call

DEFAULTS = Defaults(project_id=1, service="shop", key_id=1)
Said = Announcement | ReleaseReport | RollbarChange | GateQuestion
Read = Callable[[dict[str, Any]], Said]


def _read_deploy_of_release(value: dict[str, Any]) -> Announcement:
    report = read_release_deploy(value, version="1.2.3", project="shop")
    known = Release(version="1.2.3", created_at=CAPTURED)
    release = merge_release(known, read_release(value, version="1.2.3"))
    return announce_release_deploy(report, release, None, DEFAULTS, CAPTURED)


READERS: dict[str, Read] = {
    "airbrake npm": lambda v: read_airbrake(v, DEFAULTS, CAPTURED),
    "appsignal gem": lambda v: read_appsignal_push({}, v, DEFAULTS, CAPTURED),
    "appsignal api": lambda v: read_appsignal_marker(v, DEFAULTS, CAPTURED),
    "bigpanda start": lambda v: read_bigpanda_start(v, DEFAULTS, CAPTURED),
    "bigpanda end": lambda v: read_bigpanda_end(v, DEFAULTS, CAPTURED),
    "bugsnag-build-reporter": lambda v: read_bugsnag(v, DEFAULTS, CAPTURED),
    "datadog dora": lambda v: announce_dora(v, DEFAULTS, CAPTURED),
    "datadog event": lambda v: announce_event(v, DEFAULTS, CAPTURED),
    "datadog gate": lambda v: read_gate(v, DEFAULTS, 1, CAPTURED),
    "devlake": lambda v: read_devlake(v, DEFAULTS, CAPTURED),
    "grafana": lambda v: announce_annotation(v, DEFAULTS, CAPTURED),
    "grafana graphite": lambda v: announce_graphite(v, DEFAULTS, CAPTURED),
    "honeybadger ansible": lambda v: read_honeybadger(v, DEFAULTS, CAPTURED),
    "honeybadger rollup": lambda v: read_honeybadger(v, DEFAULTS, CAPTURED),
    "honeycomb hny": lambda v: read_honeycomb("shop", v, DEFAULTS, CAPTURED),
    "logrocket": lambda v: read_logrocket("shop", v, DEFAULTS, CAPTURED),
    "newrelic-admin": lambda v: read_newrelic(v, None, DEFAULTS, CAPTURED),
    "pagerduty ansible": lambda v: read_pagerduty(v, DEFAULTS, CAPTURED),
    "rollbar ansible": lambda v: read_rollbar(v, DEFAULTS, CAPTURED),
    "rollbar-cli": read_rollbar_change,
    "sentry release": read_release,
    "sentry deploy": _read_deploy_of_release,
}
every_reader = pytest.mark.parametrize("name", READERS)


def load(name: str) -> dict[str, Any]:
    """The body that a client was seen to send."""
    call = find_call(name)
    payload = dict(parse_qsl(call.content)) if call.content_type == FORM else None
    return payload or json.loads(call.content)


def read(name: str, payload: dict[str, Any]) -> Said | None:
    """What is understood, checked to be storable; None when it is refused, with names."""
    try:
        said = READERS[name](payload)
    except Invalid as error:
        refusal = error
    else:
        # lone surrogates could not be
        msgspec.json.encode(said)
        assert not isinstance(said, Announcement) or said.git_sha
        return said
    assert all(refusal.fields.values())
    assert next(iter(refusal.fields)) in refusal.message
    return None


@every_reader
def test_captured_bodies_are_understood(name: str) -> None:
    assert read(name, load(name)) is not None


@every_reader
@settings(max_examples=200)
@given(st.data())
def test_a_captured_body_with_odd_parts(name: str, data: st.DataObject) -> None:
    read(name, make_odd(load(name), data))


@every_reader
@settings(max_examples=50)
@given(any_objects)
def test_any_object(name: str, payload: dict[str, Any]) -> None:
    read(name, payload)


@given(st.text())
def test_any_application_id(text: str) -> None:
    name = read_application_id(text)
    assert name is None or isinstance(name, str)
