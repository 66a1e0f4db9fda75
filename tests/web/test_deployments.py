"""`POST /deployments`, as the second source document words it."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import SECOND
from miniapm.domain.keys import READ
from tests.conftest import Server

BODY = {"commitSha": "abc123", "environmentName": "production"}


def post(server: Server, key: str, **fields: Any) -> httpx2.Response:
    return server.http.post("/deployments", json={**BODY, **fields}, headers={"Authorization": key})


def deploys(server: Server) -> list[dict[str, Any]]:
    return server.rows("select * from deploys order by deployed_at, id")


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER  "])
def test_created(server: Server, scheme: str) -> None:
    answer = post(server, scheme + server.make_key())
    assert (answer.status_code, answer.text) == (201, "Created successfully")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    [row] = deploys(server)
    assert answer.headers["location"] == f"/p/default/deploys/{row['id']}"
    assert (row["git_sha"], row["env"], row["status"]) == ("abc123", "production", "succeeded")
    assert row["deployed_at"] == server.clock()


def test_the_optional_fields_are_stored(server: Server) -> None:
    post(
        server,
        server.make_key(),
        commitSha=["b2", "b1"],
        deployedAt="2024-01-15T14:30:00Z",
        title="T",
        tags="is_fix, sev1",
    )
    [row] = deploys(server)
    assert (row["git_sha"], row["title"]) == ("b2", "T")
    assert row["deployed_at"] == 1_705_329_000 * SECOND
    tags = server.rows("select tag from deploy_tags order by position")
    assert [tag["tag"] for tag in tags] == ["is_fix", "sev1"]
    shas = server.rows("select sha, committed_at from deploy_commits order by position")
    assert shas == [{"sha": "b2", "committed_at": None}, {"sha": "b1", "committed_at": None}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"commitSha": None}, "Invalid request - commitSha is required."),
        ({"environmentName": ""}, "Invalid request - environmentName is required."),
        ({"title": 5}, "Invalid request - title must be text, not a number."),
        ({"deployedAt": 1}, "Invalid request - deployedAt is before the year 2000."),
        (
            {"commitSha": 5, "tags": 5},
            "Invalid request - commitSha must be text, not a number; also look at tags.",
        ),
    ],
)
def test_the_reason_names_the_field(server: Server, fields: dict[str, Any], text: str) -> None:
    answer = post(server, server.make_key(), **fields)
    assert (answer.status_code, answer.text) == (400, text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert deploys(server) == []


def test_who_may_not(server: Server) -> None:
    unknown = post(server, "Bearer nobody")
    assert (unknown.status_code, unknown.text) == (401, "Unauthorized")
    assert unknown.headers["www-authenticate"] == "Bearer"
    missing = server.http.post("/deployments", json=BODY)
    assert (missing.status_code, missing.text) == (401, "Unauthorized")
    scopeless = post(server, server.make_key(READ))
    assert (scopeless.status_code, scopeless.text) == (403, "Forbidden")
    ended = post(server, server.make_key(expires_at=server.clock()))
    assert (ended.status_code, ended.text) == (403, "Forbidden")


def test_too_much_is_plain_text_too(server: Server) -> None:
    answer = post(server, server.make_key(), title="x" * 2**20)
    assert (answer.status_code, answer.text) == (413, "The body is larger than 1,048,576 bytes.")


def test_trouble_of_ours_names_whom_to_ask(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # the table is gone: what no input can cause
    def drop(connection: Any) -> None:
        connection.execute("drop table deploy_tags")

    server.run(server.running.context.database.write(drop))
    answer = post(server, server.make_key(), tags="a")
    request_id = answer.headers["x-request-id"]
    assert (answer.status_code, answer.text) == (
        500,
        "Internal server error. Please contact the administrator of this server for more "
        f"information (request id {request_id})",
    )
    assert request_id in caplog.text


def test_every_call_counts(server: Server) -> None:
    key = server.make_key()
    for _ in range(3):
        post(server, key)
    post(server, key, deployedAt="2024-01-15T14:30:00Z")
    post(server, key, deployedAt="2024-01-15T14:30:01Z")
    assert len(deploys(server)) == 5


def test_an_exact_retry_does_not_count(server: Server) -> None:
    key = server.make_key()
    first = post(server, key, deployedAt="2024-01-15T14:30:00Z")
    again = post(server, key, deployedAt=1705329000)
    assert (again.status_code, again.text) == (201, "Created successfully")
    assert again.headers["location"] == first.headers["location"]
    elsewhere = post(server, key, deployedAt=1705329000, environmentName="staging")
    assert elsewhere.headers["location"] != first.headers["location"]
    assert len(deploys(server)) == 2


def test_a_repeat_of_the_other_route_is_one_deploy(server: Server) -> None:
    key = server.make_key()
    first = post(server, key)
    again = server.http.post(
        "/ingest/deploys", json={"git_sha": "abc123"}, headers={"Authorization": key}
    )
    assert again.headers["location"] == first.headers["location"]
