"""`/api/v1/errors`: the answers, the rows behind them, and who may."""

import json
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.keys import DEPLOYS_ADMIN, READ
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy

FIELDS = [
    "id",
    "project",
    "service",
    "envs",
    "fingerprint",
    "exception_class",
    "message",
    "culprit",
    "state",
    "count",
    "first_seen_at",
    "last_seen_at",
    "first_version",
    "first_git_sha",
    "resolved_at",
    "regressed_at",
    "regressed_deploy_id",
    "page",
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def add_error(server: Server, at: int = START, **fields: Any) -> str:
    """Posts an error; the id of its group."""
    body = {"exception_class": "Oops", "message": "m", "timestamp": to_rfc3339(at), **fields}
    headers = bearer(server.make_key())
    answer = server.http.post("/ingest/errors", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    group_id: str = answer.json()["id"]
    return group_id


def get(server: Server, path: str = "", **query: Any) -> httpx2.Response:
    headers = bearer(server.make_key(READ))
    return server.http.get(f"/api/v1/errors{path}", params=query, headers=headers)


def patch(server: Server, key: str, group_id: str, body: Any) -> httpx2.Response:
    content = json.dumps(body)
    return server.http.patch(f"/api/v1/errors/{group_id}", content=content, headers=bearer(key))


def names(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["exception_class"] for item in answer.json()["items"]]


def test_an_error_and_its_latest_occurrence(server: Server) -> None:
    group_id = add_error(server, START - HOUR, version="v1", git_sha="abc", env="staging")
    add_error(
        server, version="v2", params={"token": "x"}, backtrace=["app/a.rb:1:in `f'"], user_id=7
    )
    backtrace = ["app/a.rb:1:in `f'"]
    other_id = add_error(server, backtrace=backtrace)
    assert other_id != group_id
    answer = get(server, f"/{group_id}")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == [*FIELDS, "releases", "latest_occurrence"]
    assert body["envs"] == ["staging"]
    assert (body["first_version"], body["first_git_sha"]) == ("v1", "abc")
    assert body["page"] == f"{server.url}/p/default/errors/{group_id}"
    assert body["count"] == 1
    assert body["latest_occurrence"]["timestamp"] == to_rfc3339(START - HOUR)
    [release] = body["releases"]
    assert (release["env"], release["version"], release["count"]) == ("staging", "v1", 1)
    whole = get(server, f"/{other_id}").json()
    assert (whole["count"], whole["culprit"]) == (2, "app/a.rb in f")
    assert [r["version"] for r in whole["releases"]] == [None, "v2"]
    assert whole["latest_occurrence"]["backtrace"] == backtrace


def test_the_list_has_the_last_seen_first(server: Server) -> None:
    add_error(server, START - HOUR, exception_class="A")
    add_error(server, START - 2 * HOUR, exception_class="B")
    add_error(server, START, exception_class="C")
    answer = get(server)
    assert names(answer) == ["C", "A", "B"]
    assert list(answer.json()["items"][0]) == FIELDS
    assert answer.json()["next_cursor"] is None


def test_a_cursor_leads_through_all(server: Server) -> None:
    for n in range(5):
        add_error(server, START - n * MINUTE, exception_class=f"E{n}")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = get(server, limit=2, cursor=cursor)
        found += names(answer)
        cursor = answer.json()["next_cursor"]
    assert found == [f"E{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"env": "staging"}, ["B"]),
        ({"service": "shop"}, ["A"]),
        ({"state": "ignored"}, ["C"]),
        ({"state": "open"}, ["A", "B"]),
        ({"q": "sOmE"}, ["B"]),
        ({"since": to_rfc3339(START - HOUR)}, ["A"]),
        ({"until": to_rfc3339(START - HOUR)}, ["B", "C"]),
        ({"since": to_rfc3339(START - 2 * DAY), "until": to_rfc3339(START - DAY)}, ["B"]),
        ({"env": "staging", "since": to_rfc3339(START - DAY)}, []),
        ({"env": "staging", "until": to_rfc3339(START - DAY)}, ["B"]),
    ],
)
def test_filters(server: Server, query: dict[str, str], expected: list[str]) -> None:
    add_error(server, exception_class="A", service="shop")
    add_error(server, START - 30 * HOUR, exception_class="B", env="staging", message="Something")
    ignored = add_error(server, START - 5 * DAY, exception_class="C")
    patch(server, server.make_key(DEPLOYS_ADMIN), ignored, {"state": "ignored"})
    assert names(get(server, **query)) == expected


@pytest.mark.parametrize(
    "query", [{"state": "gone"}, {"since": "x"}, {"limit": "0"}, {"cursor": "x"}, {"stat": "open"}]
)
def test_bad_parameters_are_named(server: Server, query: dict[str, str]) -> None:
    answer = get(server, **query)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, set(query))


def test_a_state_is_changed_and_noted(server: Server) -> None:
    group_id = add_error(server)
    key = server.make_key(DEPLOYS_ADMIN, name="ci")
    answer = patch(server, key, group_id, {"state": "resolved"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "resolved"
    assert answer.json()["resolved_at"] == to_rfc3339(START)
    patch(server, key, group_id, {"state": "resolved"})
    [entry] = server.rows("select actor, action, detail from audit where action like 'error.%'")
    assert entry == {"actor": "key ci", "action": "error.resolve", "detail": "Oops"}
    [row] = server.rows("select state, state_changed_by from error_groups")
    assert row == {"state": "resolved", "state_changed_by": "key ci"}


def test_a_browser_may_change_it(server: Server) -> None:
    group_id = add_error(server)
    answer = server.sign_in("member").patch(f"/api/v1/errors/{group_id}", json={"state": "ignored"})
    assert (answer.status_code, answer.json()["state"]) == (200, "ignored")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"state"}),
        ({"state": "gone"}, {"state"}),
        ({"state": ["open"]}, {"state"}),
        ({"state": "open", "count": 0, "\ud800": 1}, {"count", "\N{REPLACEMENT CHARACTER}"}),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    server: Server, body: dict[str, Any], named: set[str]
) -> None:
    group_id = add_error(server)
    answer = patch(server, server.make_key(DEPLOYS_ADMIN), group_id, body)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, named)
    assert server.rows("select state from error_groups") == [{"state": "open"}]


def test_a_resolved_error_comes_back_in_a_deploy(server: Server) -> None:
    group_id = add_error(server, service="shop")
    patch(server, server.make_key(DEPLOYS_ADMIN), group_id, {"state": "resolved"})
    server.clock.move(2 * HOUR)
    deploy = add_deploy(server, service="shop", deployed_at=START + HOUR)
    add_deploy(server, service="shop", env="staging", deployed_at=START + HOUR + MINUTE)
    late = add_error(server, START - MINUTE, service="shop")
    assert get(server, f"/{late}").json()["state"] == "resolved"
    add_error(server, START + 90 * MINUTE, service="shop")
    body = get(server, f"/{group_id}").json()
    assert (body["state"], body["count"]) == ("open", 3)
    assert body["regressed_at"] == to_rfc3339(START + 90 * MINUTE)
    assert body["regressed_deploy_id"] == str(deploy.id)


@pytest.mark.parametrize("group_id", ["1", "x", "-1", "9" * 30])
def test_what_is_not_there_is_not_found(server: Server, group_id: str) -> None:
    assert get(server, f"/{group_id}").status_code == 404
    key = server.make_key(DEPLOYS_ADMIN)
    assert patch(server, key, group_id, {"state": "open"}).status_code == 404


def test_another_projects_errors_are_not_found(server: Server) -> None:
    group_id = add_error(server)
    server.run(factories.insert_project(server.running.context, "other"))
    headers = bearer(server.make_key(READ, project="other"))
    assert server.http.get("/api/v1/errors", headers=headers).json()["items"] == []
    assert server.http.get(f"/api/v1/errors/{group_id}", headers=headers).status_code == 404
    key = server.make_key(DEPLOYS_ADMIN, project="other")
    assert patch(server, key, group_id, {"state": "ignored"}).status_code == 404
    browser = server.sign_in("member", ("other",))
    assert browser.get(f"/api/v1/errors/{group_id}").status_code == 404
    assert server.rows("select state from error_groups") == [{"state": "open"}]
