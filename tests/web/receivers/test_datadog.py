"""Datadog's clients as captured: DORA deployments and events."""

from typing import Any

import httpx2
import pytest

from tests.conftest import Server
from tests.factories import START
from tests.web.receivers.datadog_calls import ask

DORA, EVENTS = "/api/v2/dora/deployment", "/api/v1/events"
SHA = "102836a25f5477e571c73d489b3f0f183687068e"
CAPTURED = {
    "service": "shop",
    "started_at": 1_699_960_648_000_000_000,
    "finished_at": 1_699_961_048_000_000_000,
    "env": "prod",
    "version": "1.0.0",
    "git": {"repository_url": "https://github.com/acme/shop", "commit_sha": SHA},
    "team": "t1",
    "custom_tags": ["k:v"],
}
EVENT = {
    "title": "Deployed shop 1.2.3",
    "text": "text",
    "date_happened": None,
    "handle": None,
    "priority": "normal",
    "related_event_id": None,
    "tags": ["service:shop"],
    "host": "vm",
    "device": None,
    "aggregation_key": None,
    "source_type_name": None,
    "alert_type": None,
}


def post_dora(server: Server, without: tuple[str, ...] = (), **fields: Any) -> httpx2.Response:
    attributes = {k: v for k, v in {**CAPTURED, **fields}.items() if k not in without}
    return ask(server, "POST", DORA, {"data": {"attributes": attributes}})


def test_a_dora_deployment_is_stored(server: Server) -> None:
    answer = post_dora(server)
    [row] = server.rows("select * from deploys")
    assert answer.status_code == 200
    assert answer.json() == {"data": {"id": str(row["id"]), "type": "dora_deployment"}}
    expected = {
        "service": "shop",
        "env": "prod",
        "version": "1.0.0",
        "git_sha": SHA,
        "repository": "https://github.com/acme/shop",
        "started_at": 1_699_960_648_000_000,
        "deployed_at": 1_699_961_048_000_000,
        "status": "succeeded",
        "external_id": None,
        "sources": "api",
    }
    assert {name: row[name] for name in expected} == expected
    tags = server.rows("select tag from deploy_tags order by position")
    assert [tag["tag"] for tag in tags] == ["k:v", "team:t1"]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_times_in_every_unit(server: Server, unit: int) -> None:
    begin, end = 1_699_960_648 * unit, 1_699_961_048 * unit
    assert post_dora(server, started_at=begin, finished_at=end).status_code == 200
    [row] = server.rows("select started_at, deployed_at from deploys")
    assert row == {"started_at": 1_699_960_648_000_000, "deployed_at": 1_699_961_048_000_000}


def test_a_deployment_without_an_end_is_of_its_start(server: Server) -> None:
    assert post_dora(server, without=("finished_at",)).status_code == 200
    [row] = server.rows("select started_at, deployed_at, status from deploys")
    assert row == {
        "started_at": None,
        "deployed_at": 1_699_960_648_000_000,
        "status": "succeeded",
    }


def test_the_version_stands_for_a_commit_that_nobody_says(server: Server) -> None:
    assert post_dora(server, without=("git", "env", "service")).status_code == 200
    [row] = server.rows("select git_sha, version, env, service from deploys")
    assert row == {
        "git_sha": "1.0.0",
        "version": "1.0.0",
        "env": "production",
        "service": "default",
    }


def test_the_same_id_is_the_same_deployment(server: Server) -> None:
    first = post_dora(server, id="build-1234567890abcdef")
    again = post_dora(server, id="build-1234567890abcdef", version="1.0.1")
    assert again.json() == first.json()
    assert server.rows("select version, external_id from deploys") == [
        {"version": "1.0.1", "external_id": "build-1234567890abcdef"}
    ]


@pytest.mark.parametrize(
    ("without", "fields", "name"),
    [
        (("git", "version"), {}, "git.commit_sha"),
        ((), {"git": {"commit_sha": "$SHA"}}, "git.commit_sha"),
        ((), {"git": {"commit_sha": SHA, "repository_url": "x"}}, "git.repository_url"),
        ((), {"started_at": "soon"}, "started_at"),
        ((), {"finished_at": 5}, "finished_at"),
        ((), {"service": 5}, "service"),
        ((), {"team": 5}, "data.attributes.team"),
        ((), {"custom_tags": 5}, "custom_tags"),
    ],
)
def test_bad_deployments_are_refused(
    server: Server, without: tuple[str, ...], fields: dict[str, Any], name: str
) -> None:
    answer = post_dora(server, without, **fields)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["detail"].startswith(f"{name} ")
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {"attributes": 5}}])
def test_what_is_no_deployment_is_refused(server: Server, body: Any) -> None:
    answer = ask(server, "POST", DORA, body)
    assert (answer.status_code, answer.json()["errors"][0]["status"]) == (400, "400")


def test_an_event_is_stored(server: Server) -> None:
    answer = ask(server, "POST", EVENTS, EVENT)
    [row] = server.rows("select * from deploys")
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "ok",
        "event": {
            "id": row["id"],
            "id_str": str(row["id"]),
            "url": f"{server.url}/p/default/deploys/{row['id']}",
            "handle": None,
            "title": "Deployed shop 1.2.3",
            "text": "text",
            "date_happened": START // 1_000_000,
            "priority": "normal",
            "tags": ["service:shop"],
            "related_event_id": None,
        },
    }
    found = {name: row[name] for name in ("service", "env", "version", "title", "description")}
    assert found == {
        "service": "shop",
        "env": "production",
        "version": "1.2.3",
        "title": "Deployed shop 1.2.3",
        "description": "text",
    }


def test_an_event_of_a_failure_in_the_past(server: Server) -> None:
    fields = {"alert_type": "error", "date_happened": 1_700_000_000, "tags": "env:qa,sha:b6826b8"}
    assert ask(server, "POST", EVENTS, {**EVENT, **fields}).status_code == 202
    [row] = server.rows("select status, env, git_sha, deployed_at from deploys")
    assert row == {
        "status": "failed",
        "env": "qa",
        "git_sha": "b6826b8",
        "deployed_at": 1_700_000_000_000_000,
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": "Disk full"}, "add a tag such as sha:abc1234"),
        # dogwrap, as captured
        ({"title": "[vm] deploy shop succeeded in 0.50s"}, "add a tag such as sha:abc1234"),
        ({"title": None}, "title is missing"),
        ({"date_happened": "soon"}, "date_happened must be"),
    ],
)
def test_events_that_are_no_deploys_are_refused(
    server: Server, fields: dict[str, Any], words: str
) -> None:
    answer = ask(server, "POST", EVENTS, {**EVENT, **fields})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert words in error
    assert server.rows("select id from deploys") == []


def test_whether_a_key_is_good(server: Server) -> None:
    assert ask(server, "GET", "/api/v1/validate").json() == {"valid": True}
    refused = server.http.get("/api/v1/validate", headers={"DD-API-KEY": "x"})
    assert (refused.status_code, list(refused.json())) == (401, ["errors"])
