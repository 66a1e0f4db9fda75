"""Rollbar's deploys from their start to their end."""

import pytest

from miniapm.clock import MINUTE
from tests import factories
from tests.conftest import Server


def start(server: Server, key: str, **fields: str) -> str:
    answer = server.http.post(
        "/api/1/deploy",
        json={"revision": "b6826b8", "environment": "production", "status": "started", **fields},
        headers={"X-Rollbar-Access-Token": key},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["err"] == 0
    found = answer.json()["data"]["deploy_id"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("status", ["succeeded", "failed", "timed_out"])
def test_a_deploy_ends(server: Server, status: str) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    begun = server.clock()
    server.clock.move(3 * MINUTE)
    # as rollbar-cli sends it: with everything again
    answer = server.http.patch(
        f"/api/1/deploy/{deploy_id}",
        json={"revision": "b6826b8", "environment": "production", "status": status},
        headers={"X-Rollbar-Access-Token": key},
    )
    assert answer.status_code == 200
    assert answer.json()["data"]["deploy_id"] == deploy_id
    [row] = server.rows("select id, status, started_at, deployed_at from deploys")
    assert row == {
        "id": int(deploy_id),
        "status": status,
        "started_at": begun,
        "deployed_at": begun + 3 * MINUTE,
    }


def test_an_end_by_a_second_post(server: Server) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    server.clock.move(MINUTE)
    assert start(server, key, status="timed_out") == deploy_id
    assert server.rows("select status from deploys") == [{"status": "timed_out"}]


def test_the_token_in_the_body_of_a_patch(server: Server) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    body = {"access_token": key, "status": "succeeded", "comment": "All well"}
    assert server.http.patch(f"/api/1/deploy/{deploy_id}/", json=body).status_code == 200
    assert server.rows("select status, description from deploys") == [
        {"status": "succeeded", "description": "All well"}
    ]
    [change] = server.rows("select actor from deploy_changes")
    assert key not in str(change)


def test_another_key_ends_what_runs_and_changes_nothing_that_has_ended(server: Server) -> None:
    deploy_id = start(server, server.make_key())
    other = {"X-Rollbar-Access-Token": server.make_key()}
    path = f"/api/1/deploy/{deploy_id}"
    assert server.http.patch(path, json={"status": "succeeded"}, headers=other).status_code == 200
    answer = server.http.patch(path, json={"status": "failed"}, headers=other)
    assert answer.status_code == 403
    assert answer.json()["err"] == 1
    admin = {"X-Rollbar-Access-Token": server.make_key("deploys:write", "deploys:admin")}
    assert server.http.patch(path, json={"status": "failed"}, headers=admin).status_code == 200
    assert server.rows("select status from deploys") == [{"status": "failed"}]


@pytest.mark.parametrize("deploy_id", ["1", "x", "99999999999999999999999"])
def test_a_deploy_that_is_not_there(server: Server, deploy_id: str) -> None:
    answer = server.http.patch(
        f"/api/1/deploy/{deploy_id}",
        json={"status": "succeeded"},
        headers={"X-Rollbar-Access-Token": server.make_key()},
    )
    assert answer.status_code == 404
    assert answer.json()["err"] == 1
    assert answer.json()["message"].startswith("There is no such deploy")


def test_a_deploy_of_another_project(server: Server) -> None:
    deploy_id = start(server, server.make_key())
    server.run(factories.insert_project(server.running.context, "other"))
    headers = {"X-Rollbar-Access-Token": server.make_key(project="other")}
    answer = server.http.patch(
        f"/api/1/deploy/{deploy_id}", json={"status": "failed"}, headers=headers
    )
    assert answer.status_code == 404
    assert server.rows("select status from deploys") == [{"status": "started"}]


def test_a_status_that_there_is_not(server: Server) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    for method, path in (("POST", "/api/1/deploy"), ("PATCH", f"/api/1/deploy/{deploy_id}")):
        body = {"revision": "b6826b8", "environment": "production", "status": "done"}
        headers = {"X-Rollbar-Access-Token": key}
        answer = server.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == 400
        assert "must be one of started, succeeded, failed, timed_out" in answer.json()["message"]
    assert server.rows("select status from deploys") == [{"status": "started"}]


def test_nothing_to_change(server: Server) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    headers = {"X-Rollbar-Access-Token": key}
    answer = server.http.patch(f"/api/1/deploy/{deploy_id}", json={}, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, "status is missing.")


def test_json_that_is_called_a_form(server: Server) -> None:
    key = server.make_key()
    deploy_id = start(server, key)
    # as `curl -d` sends it
    headers = {"X-Rollbar-Access-Token": key, "Content-Type": "application/x-www-form-urlencoded"}
    path, body = f"/api/1/deploy/{deploy_id}", '{"status": "failed"}'
    assert server.http.patch(path, content=body, headers=headers).status_code == 200
    assert server.rows("select status from deploys") == [{"status": "failed"}]
