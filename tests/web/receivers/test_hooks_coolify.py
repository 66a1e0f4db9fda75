"""Coolify's notifications: they do not say which commit was deployed, telemetry does."""

from typing import Any

import pytest

from miniapm.clock import MINUTE, SECOND
from miniapm.storage.observed.record import observe_releases
from tests.conftest import Server
from tests.web.receivers.hooks import Hook, deploys, make_hook, recorded

UUID = "vgk4g0w8k0oc44w0ccocgw4o"
SHA = "c0ffee0123456789abcdef0123456789abcdef01"


def sent(**changes: Any) -> dict[str, Any]:
    return recorded("coolify/deployment_success", **changes)


@pytest.fixture
def hook(server: Server) -> Hook:
    return make_hook(server, "coolify")


def see(server: Server, version: str) -> None:
    """Telemetry of this version now, and what it leads to."""
    key = server.make_key("traces:write")
    request = {
        "method": "GET", "route": "/", "status": 200, "duration_ms": 1, "env": "production",
        "service": "shop", "version": version,
    }  # fmt: skip
    answer = server.http.post(
        "/ingest/requests",
        json={"requests": [request]},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 202, answer.text
    context = server.running.context
    server.run(context.database.write(observe_releases, context.make_id, server.clock()))


def test_a_deploy_without_a_name(server: Server, hook: Hook) -> None:
    assert hook.send(sent()).status_code == 202
    [row] = server.rows("select * from deploys")
    assert (row["git_sha"], row["service"], row["env"]) == (
        f"coolify:{UUID}", "shop", "production",
    )  # fmt: skip
    assert row["deployed_at"] == server.clock()


def test_telemetry_names_it_afterwards(server: Server, hook: Hook) -> None:
    hook.send(sent())
    server.clock.move(20 * SECOND)
    see(server, SHA)
    [row] = server.rows("select id, git_sha, version, sources from deploys")
    assert (row["git_sha"], row["version"], row["sources"]) == (SHA, SHA, "coolify")
    assert server.rows("select deploy_id from releases") == [{"deploy_id": row["id"]}]


def test_telemetry_may_have_named_it_before(server: Server, hook: Hook) -> None:
    see(server, SHA)
    [observed] = server.rows("select id from deploys")
    server.clock.move(20 * SECOND)
    hook.send(sent())
    [row] = server.rows("select id, git_sha, sources, deployed_at from deploys")
    assert (row["id"], row["git_sha"], row["sources"]) == (observed["id"], SHA, "coolify")
    assert row["deployed_at"] == server.clock()


def test_what_telemetry_showed_long_before_or_after_is_something_else(
    server: Server, hook: Hook
) -> None:
    see(server, "1.0")
    server.clock.move(31 * MINUTE)
    hook.send(sent())
    server.clock.move(31 * MINUTE)
    see(server, "2.0")
    assert [row[0] for row in deploys(server)] == ["1.0", f"coolify:{UUID}", "2.0"]


def test_a_failed_one_stays_without_a_name(server: Server, hook: Hook) -> None:
    hook.send(sent(event="deployment_failed", success=False))
    see(server, SHA)
    assert {(row[0], row[2]) for row in deploys(server)} == {
        (f"coolify:{UUID}", "failed"), (SHA, "succeeded"),
    }  # fmt: skip


def test_the_same_deployment_is_told_once(server: Server, hook: Hook) -> None:
    first, again = hook.send(sent()), hook.send(sent(message="sent again"))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(deploys(server)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"pull_request_id": 5},
        {"preview_fqdn": "https://5.example.com"},
        {"event": "status_changed"},
        {"event": "test", "deployment_uuid": ...},
    ],
)
def test_what_is_no_deploy(server: Server, hook: Hook, changes: dict[str, Any]) -> None:
    assert hook.send(sent() | {k: v for k, v in changes.items() if v is not ...}).status_code == 200
    assert deploys(server) == []


def test_a_pull_request_of_number_0_is_none(server: Server, hook: Hook) -> None:
    assert hook.send(sent() | {"pull_request_id": 0, "preview_fqdn": None}).status_code == 202
    assert len(deploys(server)) == 1


def test_a_service_of_the_receiver_goes_before(server: Server) -> None:
    hook = make_hook(server, "coolify", service="web")
    hook.send(sent(environment=None))
    assert server.rows("select service, env from deploys") == [
        {"service": "web", "env": "production"}
    ]
