"""`/ingest/requests`: the answers, and the rows behind them."""

import json
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, MINUTE, to_rfc3339
from miniapm.domain.spans.requests import MAX_REQUESTS
from tests.conftest import Server
from tests.factories import START

REQUEST = {"method": "GET", "route": "/carts/{id}", "status": 200, "duration_ms": 12.5}
TIMED = {**REQUEST, "timestamp": to_rfc3339(START - MINUTE)}


@pytest.fixture
def secret(server: Server) -> str:
    return server.make_key("traces:write", service="web", env="qa")


def post(server: Server, secret: str, *requests: Any) -> httpx2.Response:
    body = json.dumps({"requests": requests})
    headers = {"authorization": f"Bearer {secret}"}
    return server.http.post("/ingest/requests", content=body, headers=headers)


def read_entries(server: Server) -> list[dict[str, Any]]:
    return server.rows(
        """select e.*, p.name as endpoint, r.service, r.env, r.version, r.revision from entries e
        join endpoints p on p.id = e.endpoint_id and p.project_id = e.project_id
        join releases r on r.id = e.release_id and r.project_id = e.project_id order by e.id"""
    )


def test_requests_are_stored_before_the_answer(server: Server, secret: str) -> None:
    whole = {
        **REQUEST,
        "timestamp": (START - MINUTE) / 1_000_000,
        "environment": "production",
        "service": "cart",
        "version": "1.2",
        "git_sha": "abc1234",
        "status": 503,
    }
    answer = post(server, secret, REQUEST, whole)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": []})
    short, full = read_entries(server)
    assert (short["endpoint"], short["service"], short["env"]) == ("GET /carts/{id}", "web", "qa")
    assert (short["duration_us"], short["started_at"]) == (12_500, START - 12_500)
    assert (short["failed"], short["status_code"], short["trace_id"]) == (0, 200, None)
    assert (full["service"], full["env"], full["version"]) == ("cart", "production", "1.2")
    assert (full["revision"], full["started_at"]) == ("abc1234", START - MINUTE)
    assert (full["failed"], full["status_code"]) == (1, 503)
    [batch] = server.rows("select * from span_batches")
    assert (batch["format"], batch["body"], batch["span_count"]) == ("requests", b"", 2)
    assert server.rows("select * from span_batch_traces") == []


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({"route": "/a/{b}", "path": "/a/7"}, "GET /a/{b}"),
        ({"route": None, "path": "/users/17/cards/x"}, "GET /users/{id}/cards/x"),
        ({"route": "", "path": "https://shop/a?b=c"}, "GET /a"),
        ({"method": "post"}, "POST /carts/{id}"),
        ({"method": "PURGE"}, "HTTP /carts/{id}"),
        ({"route": "/" + "x" * 1000}, "GET /" + "x" * 194 + "…"),
    ],
)
def test_how_endpoints_are_named(
    server: Server, secret: str, fields: dict[str, Any], endpoint: str
) -> None:
    assert post(server, secret, {**REQUEST, **fields}).json()["accepted"] == 1
    assert [entry["endpoint"] for entry in read_entries(server)] == [endpoint]


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"method": None}, {"method"}),
        ({"method": 5}, {"method"}),
        ({"method": "X" * 21}, {"method"}),
        ({"route": None}, {"route"}),
        ({"route": 5}, {"route"}),
        ({"route": "/a\x00b"}, {"route"}),
        ({"route": "/a\ud800"}, {"route"}),
        ({"status": None}, {"status"}),
        ({"status": "200"}, {"status"}),
        ({"status": 99}, {"status"}),
        ({"status": 1000}, {"status"}),
        ({"status": 200.5}, {"status"}),
        ({"duration_ms": None}, {"duration_ms"}),
        ({"duration_ms": -1}, {"duration_ms"}),
        ({"duration_ms": "12"}, {"duration_ms"}),
        ({"duration_ms": 10**9}, {"duration_ms"}),
        ({"timestamp": "yesterday"}, {"timestamp"}),
        ({"timestamp": []}, {"timestamp"}),
        ({"timestamp": to_rfc3339(START - 15 * DAY)}, {"timestamp"}),
        ({"timestamp": to_rfc3339(START + 11 * MINUTE)}, {"timestamp"}),
        ({"env": "x" * 101}, {"env"}),
        ({"environment": 5}, {"environment"}),
        ({"env": "a", "environment": "b"}, {"env", "environment"}),
        ({"service": ["x"]}, {"service"}),
        ({"version": "x" * 201}, {"version"}),
        ({"git_sha": True}, {"git_sha"}),
        ({"status": 1, "duration_ms": -1, "env": 5}, {"status", "duration_ms", "env"}),
    ],
)  # fmt: skip
def test_every_bad_field_is_named(
    server: Server, secret: str, fields: dict[str, Any], bad: set[str]
) -> None:
    answer = post(server, secret, REQUEST, {**REQUEST, **fields}, REQUEST)
    assert answer.status_code == 202
    [rejected] = answer.json()["rejected"]
    assert (rejected["index"], set(rejected["fields"])) == (1, bad)
    assert answer.json()["accepted"] == len(read_entries(server)) == 2


@pytest.mark.parametrize("item", [None, 5, "x", []])
def test_what_is_no_object(server: Server, secret: str, item: Any) -> None:
    answer = post(server, secret, item)
    expected = {"index": 0, "fields": {"request": "must be an object"}}
    assert answer.json() == {"accepted": 0, "rejected": [expected]}
    assert server.rows("select * from span_batches") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "requests"),
        ({"requests": None}, "requests"),
        ({"requests": {}}, "requests"),
        ({"requests": [REQUEST] * (MAX_REQUESTS + 1)}, "requests"),
    ],
)
def test_bodies_that_are_refused(server: Server, secret: str, body: Any, field: str) -> None:
    headers = {"authorization": f"Bearer {secret}"}
    answer = server.http.post("/ingest/requests", json=body, headers=headers)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {field})
    assert server.rows("select * from span_batches") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            REQUEST,
            'requests is required: send {"requests": [...]}; you sent method, route, status, '
            "duration_ms.",
        ),
        (
            {"request": REQUEST, "x": 1},
            'requests is required: send {"requests": [...]}; you sent request.',
        ),
        ({}, 'requests is required: send {"requests": [...]}.'),
        ([REQUEST], 'The body must be a JSON object: {"requests": [...]}.'),
    ],
)
def test_who_sends_no_list_is_told_of_it(
    server: Server, secret: str, body: Any, message: str
) -> None:
    headers = {"authorization": f"Bearer {secret}"}
    answer = server.http.post("/ingest/requests", json=body, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert [row["message"] for row in server.rows("select message from refusals")] == [message]


def test_a_misspelt_field_is_pointed_out(server: Server, secret: str) -> None:
    given = {"method": "GET", "rout": "/", "status": 200, "duration": 5, "team": "a"}
    [rejected] = post(server, secret, given).json()["rejected"]
    assert rejected["fields"] == {
        "route": "or 'path' is required; you sent rout",
        "duration_ms": "is required; you sent duration",
    }
    assert read_entries(server) == []


def test_as_many_as_are_taken(server: Server, secret: str) -> None:
    answer = post(server, secret, *[REQUEST] * MAX_REQUESTS)
    assert answer.json() == {"accepted": MAX_REQUESTS, "rejected": []}
    assert len(read_entries(server)) == MAX_REQUESTS
    assert post(server, secret).json() == {"accepted": 0, "rejected": []}


def test_a_retried_body_counts_once(server: Server, secret: str) -> None:
    for _ in range(3):
        answer = post(server, secret, TIMED, TIMED)
        assert answer.json() == {"accepted": 2, "rejected": []}
    assert len(read_entries(server)) == 2


def test_without_times_the_same_body_means_other_requests(server: Server, secret: str) -> None:
    for _ in range(3):
        assert post(server, secret, TIMED, REQUEST).status_code == 202
        server.clock.move(1)
    assert len(read_entries(server)) == 6


def test_keys(server: Server) -> None:
    assert post(server, "proj_x", REQUEST).status_code == 401
    answer = post(server, server.make_key("deploys:write", "errors:write", "read"), REQUEST)
    assert answer.status_code == 403
    assert server.rows("select * from span_batches") == []


def test_the_content_type_does_not_matter(server: Server, secret: str) -> None:
    headers = {"authorization": secret, "content-type": "application/x-www-form-urlencoded"}
    body = json.dumps({"requests": [REQUEST]})
    answer = server.http.post("/ingest/requests", content=body, headers=headers)
    assert answer.json()["accepted"] == 1


def test_what_is_refused_of_a_batch_is_kept_for_people(server: Server, secret: str) -> None:
    assert post(server, secret, REQUEST, {**REQUEST, "duration_ms": -1}, 5).status_code == 202
    [refusal] = server.rows("select * from refusals")
    assert refusal["message"] == (
        "requests[1].duration_ms must be at least 0. 1 more of the requests were refused."
    )
    assert json.loads(refusal["fields"]) == {"requests[1].duration_ms": "must be at least 0"}
    assert post(server, secret, REQUEST).status_code == 202
    assert len(server.rows("select * from refusals")) == 1
