"""GitLab's webhooks: the Deployment Hook and the Push Hook."""

from typing import Any

import pytest

from tests.conftest import Server
from tests.web.receivers.hooks import deploys, make_hook, recorded

SHA = "279484c09fbe69ededfced8c1bb6e6d24616b468"
EVENT = "Deployment Hook"


def deployment(**changes: Any) -> dict[str, Any]:
    return recorded("gitlab/deployment", **changes)


def test_a_deployment(server: Server) -> None:
    hook = make_hook(server, "gitlab", service="web")
    answer = hook.send(deployment(), EVENT)
    assert answer.status_code == 202
    [row] = server.rows("select * from deploys")
    # the whole id stands in the address of the commit alone
    assert row["git_sha"] == SHA
    assert (row["env"], row["service"], row["deployer"]) == ("staging", "web", "root")
    # 2021-04-28 21:50:00 +0200
    assert row["deployed_at"] == 1619639400 * 1_000_000
    assert row["url"].endswith("/-/jobs/796")
    assert "Add new file" in server.sign_in().get(answer.headers["location"]).text


def test_start_and_end_are_one_deploy(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    hook.send(deployment(status="running", status_changed_at="2021-04-28 21:45:00 +0200"), EVENT)
    hook.send(deployment(status="canceled"), EVENT)
    [row] = server.rows("select status, deployed_at - started_at as took from deploys")
    assert row == {"status": "cancelled", "took": 300 * 1_000_000}


@pytest.mark.parametrize("status", ["created", "blocked", "skipped"])
def test_statuses_in_which_nothing_runs(server: Server, status: str) -> None:
    answer = make_hook(server, "gitlab").send(deployment(status=status), EVENT)
    assert answer.status_code == 200
    assert deploys(server) == []


def test_an_old_gitlab_says_less(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    old = {"status_changed_at": ..., "deployment_id": ..., "environment_tier": ..., "ref": ...}
    hook.send(deployment(status="running", **old), EVENT)
    server.clock.move(60_000_000)
    hook.send(deployment(**old), EVENT)
    [row] = server.rows("select git_sha, status, deployed_at from deploys")
    assert row == {"git_sha": SHA, "status": "succeeded", "deployed_at": server.clock()}
    assert server.rows("select external_id from deploy_ids") == [{"external_id": "job:796"}]


def test_without_any_id_the_deploy_is_found_by_its_commit(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    bare = {"status_changed_at": ..., "deployment_id": ..., "deployable_id": None, "ref": ...}
    hook.send(deployment(status="running", **bare), EVENT)
    hook.send(deployment(commit_url=None, **bare), EVENT)
    assert deploys(server) == [(SHA, "staging", "started"), (SHA[:8], "staging", "succeeded")]


def test_a_commit_address_that_names_another_commit_is_not_believed(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    hook.send(deployment(commit_url=f"https://gitlab.example.com/-/commit/{'0' * 40}"), EVENT)
    assert [row[0] for row in deploys(server)] == [SHA[:8]]
    bad = deployment(commit_url="https://gitlab.example.com/", short_sha="master")
    answer = hook.send(bad, EVENT)
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"short_sha": "must be the id of a commit"}


def test_another_branch_is_left(server: Server) -> None:
    hook = make_hook(server, "gitlab", branch="main")
    assert hook.send(deployment(), EVENT).status_code == 200
    assert deploys(server) == []


def test_a_push_gives_the_deploy_its_commits(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    early = recorded("gitlab/push")["commits"][0]["id"]
    before = {"deployment_id": 1, "status_changed_at": "2021-04-27 21:00:00 +0200"}
    before |= {"commit_url": f"https://x.example/-/commit/{early}", "short_sha": early[:8]}
    hook.send(deployment(**before), EVENT)
    hook.send(deployment(), EVENT)
    answer = hook.send(recorded("gitlab/push"), "Push Hook")
    assert answer.status_code == 202
    # pushed long after: the deploys of then are not looked for
    assert [row["message"] for row in commits(server)] == ["Add new file"] * 2
    server.clock.move(1)
    hook.send(deployment(status_changed_at=None, deployment_id=16), EVENT)
    newest = commits(server)[-1]
    assert newest["message"] == "Add new file\n\nWith its story"
    assert newest["committed_at"] == 1619634989 * 1_000_000


def commits(server: Server) -> list[dict[str, Any]]:
    return server.rows("select * from deploy_commits order by deploy_id, position")


def test_pushes_of_other_branches_and_tags(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    samples: list[dict[str, Any]] = [
        {"ref": "refs/heads/try"}, {"commits": []}, {"object_kind": "tag_push"},
    ]  # fmt: skip
    for changes in samples:
        assert hook.send(recorded("gitlab/push", **changes), "Push Hook").status_code == 200
    assert server.rows("select * from pushed_commits") == []


def test_what_comes_twice_without_a_key_is_known_by_its_body(server: Server) -> None:
    hook = make_hook(server, "gitlab")
    for headers in ({"X-Gitlab-Event-UUID": "u"}, {"X-Gitlab-Event-UUID": ""}):
        sent = deployment(deployment_id=len(headers["X-Gitlab-Event-UUID"]))
        first = hook.send(sent, EVENT, headers={"Idempotency-Key": "", **headers})
        again = hook.send(sent, EVENT, headers={"Idempotency-Key": "", **headers})
        assert (again.status_code, again.content) == (first.status_code, first.content)
    # two events that one webhook set off share its id
    other = deployment(deployment_id=99)
    hook.send(other, EVENT, headers={"Idempotency-Key": "", "X-Gitlab-Event-UUID": "u"})
    assert server.rows("select count(*) as n from receiver_deliveries") == [{"n": 3}]
