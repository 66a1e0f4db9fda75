"""Clients of other services: each gets the status it insists on, and errors in its shape."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from miniapm.clock import HOUR
from miniapm.domain.keys import make_secret
from miniapm.exceptions import RateLimited
from miniapm.web.ingest.calls import answer_error
from miniapm.web.receivers.calls import ForeignRoute
from miniapm.web.receivers.hooks import HOOK_ROUTES
from miniapm.web.receivers.routes import FOREIGN_ROUTES
from tests.conftest import Server
from tests.web.receivers.client_call import JSON, ClientCall
from tests.web.receivers.client_calls import (
    CALLS,
    CAPTURED,
    DEPLOYS,
    at_time_of_captures,
    find_call,
)

# what a body without its revision lacks
REVISIONS = ("revision", "version", "appVersion", "commitSha", "commit_sha", "message")
NAMES_OF_REVISIONS = {
    "honeybadger ansible": "deploy.revision",
    "honeybadger rollup": "deploy.revision",
    "rollbar ansible": "revision",
    "rollbar-cli": "revision",
    "airbrake npm": "revision",
    "bugsnag-build-reporter": "appVersion",
    "logrocket": "version",
    "newrelic ansible": "deployment.revision",
    "newrelic-admin": "deployment.revision",
    "appsignal gem": "revision",
    "appsignal api": "marker.revision",
    "honeycomb hny": "message",
    "datadog dora": "git.commit_sha",
    "datadog event": "The",
    "grafana graphite": "The",
    "bigpanda start": "version",
    "bigpanda end": "version",
    "pagerduty ansible": "payload.custom_details.revision",
    "devlake": "deploymentCommits[0].commitSha",
}
EVERY_DEPLOY = pytest.mark.parametrize("call", DEPLOYS, ids=lambda call: call.name)
CLIENT_ROUTES = [route for route in FOREIGN_ROUTES if route not in HOOK_ROUTES]
PATTERNS = {
    re.sub("{[^}]+}", "[^/]+", route.path): route
    for route in CLIENT_ROUTES
    if route.method == "POST"
}


@pytest.fixture
def server(server: Server) -> Server:
    """A server at the time of the captures."""
    return at_time_of_captures(server)


def assert_refused(call: ClientCall, answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    message = call.find_message(answer.json())
    assert isinstance(message, str)
    assert message
    return message


def find_route(call: ClientCall) -> ForeignRoute:
    path = urlsplit(call.path).path.rstrip("/") or "/"
    return next(r for pattern, r in PATTERNS.items() if re.fullmatch(pattern, path))


def find_refusals(server: Server) -> list[dict[str, Any]]:
    return server.rows("select * from refusals order by id")


@EVERY_DEPLOY
def test_what_it_sends_is_stored(server: Server, call: ClientCall) -> None:
    answer = call.send(server, server.make_key())
    assert answer.status_code == call.status, answer.text
    if call.answer is not None:
        assert answer.json() == call.answer
    [row] = server.rows("select * from deploys")
    expected = {"status": "succeeded", "env": "production", "deployed_at": CAPTURED, **call.deploy}
    assert {name: row[name] for name in expected} == expected
    assert find_refusals(server) == []


@EVERY_DEPLOY
def test_sent_again_it_is_the_same_deploy(server: Server, call: ClientCall) -> None:
    key = server.make_key()
    first = call.send(server, key)
    again = call.send(server, key)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert len(server.rows("select id from deploys")) == 1


def test_the_key_stands_for_what_is_not_named(server: Server) -> None:
    rest = ClientCall("", "/api/v4/projects/1/deploys?key=KEY", 201, '{"revision": "a1"}', {}, str)
    assert rest.send(server, server.make_key(env="qa", service="api")).status_code == 201
    assert server.rows("select env, service from deploys") == [{"env": "qa", "service": "api"}]


def assert_nothing_stored(server: Server) -> None:
    for table in ("deploys", "foreign_releases", "foreign_gates"):
        assert server.rows(f"select * from {table}") == []


def test_without_a_key(server: Server) -> None:
    for call in CALLS:
        answer = call.send(server, "")
        assert "key is needed" in assert_refused(call, answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert_nothing_stored(server)


def test_with_a_key_that_nobody_knows(server: Server) -> None:
    secret = make_secret()
    for call in CALLS:
        answer = call.send(server, secret)
        assert "Nobody knows this key" in assert_refused(call, answer, 401)
        assert secret not in answer.text
    refusals = find_refusals(server)
    assert [refusal["status"] for refusal in refusals] == [401] * len(CALLS)
    assert secret not in str(refusals)
    assert_nothing_stored(server)


def test_with_a_key_that_may_not(server: Server) -> None:
    key = server.make_key("traces:write")
    for call in CALLS:
        assert "lacks the scope" in assert_refused(call, call.send(server, key), 403)
    assert_nothing_stored(server)


def test_with_a_key_that_has_ended(server: Server) -> None:
    key = server.make_key(expires_at=CAPTURED - HOUR)
    [project] = server.rows("select id from projects")
    for call in CALLS:
        assert "expired" in assert_refused(call, call.send(server, key), 403)
    refusals = find_refusals(server)
    assert {refusal["project_id"] for refusal in refusals} == {project["id"]}
    assert key not in str(refusals)


def test_a_body_that_is_too_large(server: Server) -> None:
    key = server.make_key()
    limits = server.running.context.config.limits
    for call in CALLS:
        # commits come with the names of their files
        is_long = call.name == "sentry release"
        most = limits.telemetry_body_bytes if is_long else limits.deploy_body_bytes
        content = call.content + ("&pad=" if "urlencoded" in call.content_type else "")
        assert_refused(call, call.send(server, key, content + " " * most), 413)
    assert_nothing_stored(server)


def test_while_there_is_no_room(server: Server) -> None:
    key = server.make_key()
    moved = server.path.with_name("moved")
    server.path.rename(moved)
    for call in CALLS:
        answer = call.send(server, key)
        assert_refused(call, answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    moved.rename(server.path)
    assert_nothing_stored(server)


def test_too_often(server: Server) -> None:
    too_often = RateLimited("Too many attempts.", 7)
    for call in CALLS:
        explain = find_route(call).explain
        status, headers, body = answer_error(too_often, explain, server.running.context, {})
        assert (status, dict(headers)[b"retry-after"]) == (429, b"7")
        assert call.find_message(json.loads(body)) == "Too many attempts."


def leave_out_revision(value: Any) -> Any:
    """The body without what its deploy is called by."""
    if isinstance(value, list):
        return [leave_out_revision(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {n: leave_out_revision(one) for n, one in value.items() if n not in REVISIONS}


def test_without_a_revision_its_name_is_told(server: Server) -> None:
    key = server.make_key()
    told: dict[str, str] = {}
    for call in DEPLOYS:
        # that one is in the address; the text of an event has none to leave out
        if call.name == "sentry deploy" or "b6826b8" in str(call.deploy.get("title")):
            continue
        if call.content_type == JSON or "charset" in call.content_type:
            content = json.dumps(leave_out_revision(json.loads(call.content)))
            content = content.replace("b6826b8", "it")
        else:
            pairs = [one for one in parse_qsl(call.content) if "revision" not in one[0]]
            content = urlencode(pairs)
        answer = call.send(server, key, content)
        told[call.name] = assert_refused(call, answer, 400).partition(" ")[0]
    assert told == NAMES_OF_REVISIONS
    assert_nothing_stored(server)


def test_a_template_that_was_not_filled_in(server: Server) -> None:
    key = server.make_key()
    shas = re.compile(r"\b(b6826b8|1\.3\.5|1\.3|1\.2\.3|[0-9a-f]{40})\b")
    for call in CALLS:
        if shas.search(call.content):
            content = shas.sub("${SHA}", call.content)
            assert assert_refused(call, call.send(server, key, content), 400)
    assert server.rows("select id from deploys") == []
    assert key not in str(find_refusals(server))


@pytest.mark.parametrize("content", ["{", "[]", '{"a":1,"a":2}', '"\x00"'])
def test_a_body_that_is_no_object(server: Server, content: str) -> None:
    key = server.make_key()
    for call in CALLS:
        headers = {"Authorization": "Bearer KEY", **call.headers}
        plain = replace(call, content_type="application/json", headers=headers)
        assert_refused(call, plain.send(server, key, content), 400)
    assert server.rows("select id from deploys") == []


def test_another_method(server: Server) -> None:
    for call in CALLS:
        if call.path != "/":
            answer = server.http.delete(call.path)
            assert_refused(call, answer, 405)
            assert "POST" in answer.headers["allow"]


def test_every_address_is_tried() -> None:
    tried = {find_route(call).path for call in CALLS}
    missed = {route.path for route in PATTERNS.values()} - tried
    # these have tests of their own
    assert {path for path in missed if "plugins/webhook" not in path} == {
        "/v2/applications.json",
        *(path for path in missed if path.startswith("/api/0/projects/")),
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("honeybadger ansible", "hbp_0123456789abcdef"),
        ("rollbar ansible", "0123456789abcdef0123456789abcdef"),
        ("airbrake npm", "0123456789abcdef0123456789abcdee"),
        ("bugsnag-build-reporter", "cc814aead128d38d0767094327b4784a"),
        ("pagerduty ansible", "R0123456789ABCDEF0123456789ABCDE"),
        ("appsignal gem", "00000000-1111-2222-3333-444444444444"),
        ("appsignal api", "aAbBcCdDeEfFgG"),
    ],
)
def test_the_key_of_the_other_service_is_not_kept(
    server: Server, caplog: pytest.LogCaptureFixture, name: str, secret: str
) -> None:
    caplog.set_level("DEBUG")
    assert find_call(name).send(server, secret).status_code == 401
    [refusal] = find_refusals(server)
    assert secret not in str(refusal)
    # the server runs without an access log; pytest's handler wakes it, and the client logs, too
    logged = [line.getMessage() for line in caplog.records if line.name.startswith("miniapm")]
    assert secret not in str(logged)
