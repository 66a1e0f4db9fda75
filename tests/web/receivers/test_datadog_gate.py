"""Datadog's deployment gate, which our verdict answers."""

from typing import Any
from uuid import UUID

import pytest

from miniapm.clock import DAY, MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.keys import READ
from miniapm.storage.receivers.forgetting import GATES_KEPT_FOR, delete_gates_before
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.impacts import add_verdict, make_endpoint
from tests.web.deploy_rows import add_deploy
from tests.web.receivers.datadog_calls import ask

GATE = "/api/v2/deployments/gates/evaluation"
# the job judges none of before; what stands there stays
OLD = START - 20 * DAY


def open_gate(server: Server, **attributes: Any) -> str:
    fields = {"service": "shop", "env": "production", **attributes}
    body = {"data": {"type": "deployment_gates_evaluation_request", "attributes": fields}}
    answer = ask(server, "POST", GATE, body, READ)
    assert answer.status_code == 202, answer.text
    gate_id: str = answer.json()["data"]["attributes"]["evaluation_id"]
    assert str(UUID(gate_id)) == gate_id
    return gate_id


def read_gate(server: Server, gate_id: str) -> dict[str, Any]:
    answer = ask(server, "GET", f"{GATE}/{gate_id}", None, READ)
    assert answer.status_code == 200, answer.text
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    [rule] = attributes["rules"]
    assert rule["status"] == attributes["gate_status"]
    assert attributes["evaluation_id"] == gate_id
    return attributes


def judged(server: Server, **fields: Any) -> Deploy:
    """An old deploy with a verdict."""
    deploy = add_deploy(server, version="1.0.0", deployed_at=OLD)
    add_verdict(server, deploy, **fields)
    return deploy


def test_a_regression_fails_the_gate(server: Server) -> None:
    deploy = judged(server)
    said = read_gate(server, open_gate(server, version="1.0.0"))
    assert said["gate_status"] == "fail"
    assert "POST /checkout" in said["rules"][0]["reason"]
    assert said["evaluation_url"] == f"{server.url}/p/default/deploys/{deploy.id}"


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "unchanged", "endpoints": (make_endpoint(verdict="unchanged"),)},
        {"verdict": "improved", "endpoints": (make_endpoint(verdict="improved"),)},
        {"verdict": "not_enough_data", "endpoints": ()},
        {"state": "withdrawn", "verdict": "regressed"},
        {"state": "superseded"},
        {"is_learning": True, "endpoints": (make_endpoint(is_learning=True),)},
    ],
)
def test_all_else_passes_the_gate(server: Server, fields: dict[str, Any]) -> None:
    judged(server, **fields)
    assert read_gate(server, open_gate(server))["gate_status"] == "pass"


def test_learning_does_not_excuse_what_is_known(server: Server) -> None:
    judged(server, is_learning=True)
    assert read_gate(server, open_gate(server))["gate_status"] == "fail"


@pytest.mark.parametrize(("decision", "status"), [("dismiss", "pass"), ("confirm", "fail")])
def test_a_person_has_the_last_word(server: Server, decision: str, status: str) -> None:
    deploy = judged(server)
    gate_id = open_gate(server)
    headers = {"Authorization": f"Bearer {server.make_key('deploys:admin')}"}
    path = f"/api/v1/deploys/{deploy.id}/review"
    assert server.http.post(path, json={"decision": decision}, headers=headers).status_code == 200
    assert read_gate(server, gate_id)["gate_status"] == status


def test_a_verdict_to_come_is_waited_for(server: Server) -> None:
    gate_id = open_gate(server, version="1.0.0")
    add_deploy(server, version="0.9", deployed_at=START - MINUTE)
    assert read_gate(server, gate_id)["gate_status"] == "in_progress"
    add_deploy(server, version="1.0.0", deployed_at=START)
    said = read_gate(server, gate_id)
    assert said["gate_status"] == "in_progress"
    assert "is not judged yet" in said["rules"][0]["reason"]


def test_a_deploy_that_never_comes_passes_after_a_while(server: Server) -> None:
    gate_id = open_gate(server)
    server.clock.move(14 * MINUTE)
    assert read_gate(server, gate_id)["gate_status"] == "in_progress"
    server.clock.move(2 * MINUTE)
    said = read_gate(server, gate_id)
    assert said["gate_status"] == "pass"
    assert said["rules"][0]["reason"] == "There is no such deploy of shop in production."


def test_an_old_deploy_that_was_never_judged_passes(server: Server) -> None:
    add_deploy(server, deployed_at=OLD)
    assert read_gate(server, open_gate(server))["gate_status"] == "pass"


@pytest.mark.parametrize(
    ("version", "is_meant"), [("1.0.0", True), ("0000000", True), ("1.0", False), ("0000", False)]
)
def test_which_version_is_meant(server: Server, version: str, is_meant: bool) -> None:
    judged(server)
    said = read_gate(server, open_gate(server, version=version))
    assert said["gate_status"] == ("fail" if is_meant else "in_progress")


def test_the_key_stands_for_service_and_env(server: Server) -> None:
    judged(server)
    body: dict[str, Any] = {"data": {"attributes": {}}}
    key = {"service": "shop", "env": "production"}
    answer = ask(server, "POST", GATE, body, READ, **key)
    assert answer.status_code == 202
    [row] = server.rows("select service, env, version from foreign_gates")
    assert row == {**key, "version": None}


def test_another_project_has_gates_of_its_own(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    gate_id = open_gate(server)
    answer = ask(server, "GET", f"{GATE}/{gate_id}", None, READ, project="other")
    assert (answer.status_code, answer.json()["errors"][0]["title"]) == (404, "not found")


@pytest.mark.parametrize("gate_id", ["x", str(UUID(int=5)), str(UUID(int=2**128 - 1))])
def test_a_gate_that_is_not_there(server: Server, gate_id: str) -> None:
    assert ask(server, "GET", f"{GATE}/{gate_id}", None, READ).status_code == 404


def test_old_questions_are_forgotten(server: Server) -> None:
    open_gate(server)
    server.clock.move(GATES_KEPT_FOR)
    gate_id = open_gate(server)
    at = server.clock() - GATES_KEPT_FOR + 1
    assert server.run(server.running.context.database.write(delete_gates_before, at)) == 1
    assert server.rows("select id from foreign_gates") == [{"id": UUID(gate_id).int}]


def test_a_bad_question_is_refused(server: Server) -> None:
    body = {"data": {"attributes": {"service": 5, "env": "e" * 101, "version": "$V"}}}
    answer = ask(server, "POST", GATE, body, READ)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"].startswith("data.attributes.service must be")
    assert server.rows("select id from foreign_gates") == []
