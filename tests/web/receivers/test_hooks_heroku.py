"""Heroku's app webhooks: releases of code."""

from typing import Any

import pytest

from tests.conftest import Server
from tests.web.receivers.hooks import deploys, make_hook, recorded

SHA = "5ca1ab1e0123456789abcdef0123456789abcdef"


def release(delivery: str = "", **changes: Any) -> dict[str, Any]:
    """Each with a delivery id of its own unless named."""
    payload = recorded("heroku/release", **changes)
    payload["webhook_metadata"]["delivery"]["id"] = delivery or str(sorted(changes.items()))
    return payload


def test_a_release_of_code(server: Server) -> None:
    hook = make_hook(server, "heroku", env="staging", service="web")
    answer = hook.send(release())
    [row] = server.rows("select * from deploys")
    assert (row["git_sha"], row["version"], row["env"]) == (SHA, "v42", "staging")
    assert (row["service"], row["deployer"]) == ("web", "jane@example.com")
    assert row["deployed_at"] - row["started_at"] == 60 * 1_000_000
    assert "Round the totals" in server.sign_in().get(answer.headers["location"]).text
    [commit] = server.rows("select message, author from deploy_commits")
    assert commit == {"message": "Round the totals", "author": "Jane"}


def test_pending_and_succeeded_are_one_deploy(server: Server) -> None:
    hook = make_hook(server, "heroku")
    hook.send(release(action="create", data__status="pending", data__current=False))
    assert [row[2] for row in deploys(server)] == ["started"]
    hook.send(release())
    assert [row[2] for row in deploys(server)] == ["succeeded"]


@pytest.mark.parametrize(
    "changes",
    [
        {"data__description": "Set RAILS_ENV config vars"},
        {"data__description": "Attach DATABASE (@ref:postgresql-x)"},
        {"data__description": "Initial release"},
        {"data__current": False},
        {"data__status": "expired"},
        {"action": "destroy"},
        {"resource": "build"},
    ],
)
def test_what_is_no_deploy(server: Server, changes: dict[str, Any]) -> None:
    hook = make_hook(server, "heroku")
    assert hook.send(release(**changes)).status_code == 200
    assert deploys(server) == []


def test_a_failed_release_phase(server: Server) -> None:
    hook = make_hook(server, "heroku")
    hook.send(release(data__status="failed", data__current=False))
    assert deploys(server) == [(SHA, "production", "failed")]


def test_a_rollback_is_one(server: Server) -> None:
    hook = make_hook(server, "heroku")
    for number, (commit, word) in enumerate(
        [(SHA, "Deploy 5ca1ab1e"), ("b" * 40, "Deploy bbbbbbbb"), (SHA, "Rollback to v0")]
    ):
        hook.send(
            release(
                data__id=str(number),
                data__version=number,
                data__slug__commit=commit,
                data__description=word,
                data__updated_at=f"2025-10-09T08:5{number}:00Z",
            )
        )
    key = server.make_key("read")
    answer = server.http.get("/api/v1/deploys", headers={"Authorization": f"Bearer {key}"})
    assert [item["kind"] for item in answer.json()["items"]] == ["rollback", "deploy", "first"]


def test_an_image_has_no_commit(server: Server) -> None:
    hook = make_hook(server, "heroku")
    image = release(data__slug=None, data__description="Deployed web (abcdef)")
    assert hook.send(image).status_code == 202
    [(name, _, status)] = deploys(server)
    assert (name, status) == ("heroku:25bfb830-8c4a-49e1-b0a3-831da386de90", "succeeded")


def test_all_attempts_of_a_delivery_are_one(server: Server) -> None:
    hook = make_hook(server, "heroku")
    first = hook.send(release("d", webhook_metadata__attempt__id="1"))
    again = hook.send(release("d", webhook_metadata__attempt__id="2"))
    assert again.content == first.content
    assert len(server.rows("select * from receiver_deliveries")) == 1
