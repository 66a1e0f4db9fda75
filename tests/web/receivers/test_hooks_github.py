"""GitHub's webhooks: deployments, runs of chosen workflows, pushes."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import Server
from tests.web.receivers.hooks import deploys, make_hook, recorded

SHA = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
RUN = "github/workflow_run.completed"


def status(state: str, **changes: Any) -> dict[str, Any]:
    return recorded("github/deployment_status.success", deployment_status__state=state, **changes)


def test_a_deployment_status_as_github_wrote_it(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(recorded("github/deployment_status.success"), "deployment_status")
    [row] = server.rows("select * from deploys")
    assert {name: row[name] for name in ("git_sha", "env", "service", "status", "deployer")} == {
        "git_sha": SHA, "env": "production", "service": "default", "status": "succeeded",
        "deployer": "Codertocat",
    }  # fmt: skip
    assert row["deployed_at"] == 1557933655 * 1_000_000
    assert row["repository"] == "https://github.com/Codertocat/Hello-World"
    assert row["external_id"] is None
    [known] = server.rows("select source, external_id from deploy_ids")
    assert known == {"source": "github", "external_id": "deployment:145988746"}


def test_the_statuses_of_one_deployment_are_one_deploy(server: Server) -> None:
    hook = make_hook(server, "github")
    created = "deployment_status__created_at"
    hook.send(status("queued"), "deployment_status")
    hook.send(recorded("github/deployment"), "deployment")
    assert deploys(server) == []
    hook.send(status("success", **{created: "2019-05-15T15:25:00Z"}), "deployment_status")
    # the start arrives late
    hook.send(status("in_progress", **{created: "2019-05-15T15:21:00Z"}), "deployment_status")
    hook.send(status("inactive", **{created: "2019-05-16T15:25:00Z"}), "deployment_status")
    [row] = server.rows("select status, started_at, deployed_at from deploys")
    assert row["status"] == "succeeded"
    assert row["deployed_at"] - row["started_at"] == 240 * 1_000_000


@pytest.mark.parametrize(
    ("state", "stored"),
    [("failure", "failed"), ("error", "failed"), ("in_progress", "started")],
)
def test_states(server: Server, state: str, stored: str) -> None:
    hook = make_hook(server, "github")
    assert hook.send(status(state), "deployment_status").status_code == 202
    assert deploys(server) == [(SHA, "production", stored)]


@pytest.mark.parametrize("state", ["queued", "waiting", "pending", "inactive", "new word"])
def test_states_in_which_nothing_runs(server: Server, state: str) -> None:
    hook = make_hook(server, "github")
    answer = hook.send(status(state), "deployment_status")
    assert answer.status_code == 200
    assert state in answer.json()["reason"]
    assert deploys(server) == []


def test_another_deployment_of_the_same_commit_is_another_deploy(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(status("failure"), "deployment_status")
    hook.send(status("success", deployment__id=2), "deployment_status")
    assert sorted(row[2] for row in deploys(server)) == ["failed", "succeeded"]


def run(**changes: Any) -> dict[str, Any]:
    changes = {f"workflow_run__{name}": value for name, value in changes.items()}
    action = changes.pop("workflow_run__action", "completed")
    return recorded(RUN, action=action, **changes)


def test_a_run_of_a_chosen_workflow(server: Server) -> None:
    hook = make_hook(server, "github", workflows=("test.yml",), env="live", service="web")
    answer = hook.send(run(), "workflow_run")
    assert answer.status_code == 202
    [row] = server.rows("select * from deploys")
    assert (row["env"], row["service"], row["status"]) == ("live", "web", "succeeded")
    assert row["git_sha"] == "3484a3fb816e0859fd6e1cea078d76385ff50625"
    assert row["deployer"] == "Codertocat"
    [commit] = server.rows("select * from deploy_commits")
    assert commit["sha"] == row["git_sha"]
    assert commit["message"] == "build(test): check workflow run event payload"
    assert commit["committed_at"] == 1601915527 * 1_000_000
    assert commit["is_approximate"] == 1
    page = server.sign_in().get(answer.headers["location"])
    assert "build(test): check workflow run event payload" in page.text


def test_an_attempt_is_another_deploy_and_a_new_run_is_one_too(server: Server) -> None:
    hook = make_hook(server, "github", workflows=(".github/workflows/test.yml",))
    hook.send(run(conclusion="failure"), "workflow_run")
    hook.send(run(run_attempt=2, updated_at="2020-10-05T16:40:00Z"), "workflow_run")
    hook.send(run(id=5, updated_at="2020-10-05T16:50:00Z"), "workflow_run")
    assert [row[2] for row in deploys(server)] == ["failed", "succeeded", "succeeded"]
    key = server.make_key("read")
    answer = server.http.get("/api/v1/deploys", headers={"Authorization": f"Bearer {key}"})
    assert [item["kind"] for item in answer.json()["items"]] == ["redeploy", "retry", "first"]


def test_the_start_and_the_end_of_an_attempt_are_one_deploy(server: Server) -> None:
    hook = make_hook(server, "github", workflows=("test.yml",))
    hook.send(run(action="in_progress", conclusion=None), "workflow_run")
    assert [row[2] for row in deploys(server)] == ["started"]
    hook.send(run(updated_at="2020-10-05T16:40:00Z", conclusion="cancelled"), "workflow_run")
    assert [row[2] for row in deploys(server)] == ["cancelled"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "Lint", "path": ".github/workflows/lint.yml"}, "Lint was not chosen"),
        ({"conclusion": "skipped"}, "skipped"),
        ({"conclusion": None}, "The run is without a conclusion"),
        ({"conclusion": "\ud800"}, "The run is without a conclusion"),
        ({"name": None, "path": ""}, "workflow without a name was not chosen"),
        ({"head_branch": None}, "ran on no branch, not on main"),
        ({"action": "requested"}, "requested"),
        ({"event": "pull_request"}, "pull request"),
        ({"head_branch": "try"}, "ran on try, not on main"),
    ],
)
def test_runs_that_are_no_deploys(server: Server, changes: dict[str, Any], reason: str) -> None:
    hook = make_hook(server, "github", workflows=("test.yml",), branch="main")
    answer = hook.send(run(**{"head_branch": "main", **changes}), "workflow_run")
    assert answer.status_code == 200
    assert reason in answer.json()["reason"]
    assert deploys(server) == []


def test_a_receiver_takes_runs_or_deployments(server: Server) -> None:
    of_deployments = make_hook(server, "github")
    answer = of_deployments.send(run(), "workflow_run")
    assert answer.status_code == 200
    assert "No workflow was chosen" in answer.json()["reason"]
    of_runs = make_hook(server, "github", workflows=("pages build and deployment",))
    made_by_run = recorded("github/deployment_status.in_progress")
    assert made_by_run["workflow_run"]["name"] == "pages build and deployment"
    assert of_runs.send(made_by_run, "deployment_status").status_code == 200
    assert deploys(server) == []
    # what another tool deploys is told by nothing else
    assert of_runs.send(status("success"), "deployment_status").status_code == 202


def test_a_form_is_read_as_github_writes_it_by_default(server: Server) -> None:
    hook = make_hook(server, "github")
    body = urlencode({"payload": json.dumps(status("success"))}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert hook.send(body, "deployment_status", headers=form).status_code == 202
    assert deploys(server) == [(SHA, "production", "succeeded")]
    for bad in (b"", b"payload=", b"payload=%7B", b"x=1", b"payload=\xff", b"a=1&" * 30):
        assert hook.send(bad, "deployment_status", headers=form).status_code == 400


def test_a_ping_and_a_call_without_an_event(server: Server) -> None:
    hook = make_hook(server, "github")
    assert hook.send(recorded("github/ping"), "ping").status_code == 200
    answer = hook.send(recorded("github/ping"), "")
    assert answer.status_code == 400
    assert "X-GitHub-Event" in answer.json()["fields"]


def test_names_that_are_too_long_lose_no_deploy(server: Server) -> None:
    hook = make_hook(server, "github")
    sent = status(
        "success",
        deployment__creator__login="x" * 500,
        deployment_status__description="a\x00b\r\nc" * 5000,
        deployment_status__log_url="javascript:alert(1)",
        deployment_status__target_url="",
    )
    assert hook.send(sent, "deployment_status").status_code == 202
    [row] = server.rows("select deployer, description, url from deploys")
    assert (len(row["deployer"]), row["url"]) == (200, None)
    assert row["description"].startswith("ab\nc")


@pytest.mark.parametrize(
    ("ref", "status_code"),
    [
        ("main", 202),
        ("refs/heads/main", 202),
        (SHA, 202),
        (None, 202),
        ("try", 200),
        ("v1.2.3", 200),
        ("main2", 200),
    ],
)
def test_deployments_of_one_branch(server: Server, ref: str | None, status_code: int) -> None:
    hook = make_hook(server, "github", branch="main")
    answer = hook.send(status("success", deployment__ref=ref), "deployment_status")
    assert answer.status_code == status_code
    assert len(deploys(server)) == (status_code == 202)
    if status_code == 200:
        assert answer.json()["reason"] == f"It is of {ref}, not of main."


def test_json_that_calls_itself_a_form_is_read(server: Server) -> None:
    """As `curl -d` sends it."""
    hook = make_hook(server, "github")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert hook.send(status("success"), "deployment_status", headers=form).status_code == 202
    assert deploys(server) == [(SHA, "production", "succeeded")]
