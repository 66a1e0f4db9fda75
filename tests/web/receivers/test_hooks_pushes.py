"""Pushes as a source of commits: which of them a deploy brought."""

import json
from typing import Any

import httpx2
import pytest

from tests.conftest import Server
from tests.web.receivers.hooks import make_hook, recorded


def push(*shas: str, at: int, branch: str = "main", **changes: Any) -> dict[str, Any]:
    """A push of commits, `at` seconds after some beginning."""
    commits = [
        {
            "id": sha,
            "timestamp": f"2025-10-01T00:00:{index:02}Z",
            "message": f"Commit {sha[:1]}",
            "author": {"name": "Jane"},
        }
        for index, sha in enumerate(shas)
    ]
    base = 1_759_300_000
    return recorded(
        "github/push.branch",
        ref=f"refs/heads/{branch}",
        commits=commits,
        repository__pushed_at=base + at,
        repository__default_branch="main",
        **changes,
    )


A, B, C, D = (letter * 40 for letter in "abcd")


def deploy(server: Server, git_sha: str, minute: int, **fields: Any) -> str:
    """One through the API; its id."""
    key = server.keys.setdefault("sender", server.keys.get("sender") or server.make_key())
    body = {"git_sha": git_sha, "timestamp": f"2025-10-02T00:{minute:02}:00Z", **fields}
    answer: httpx2.Response = server.http.post(
        "/ingest/deploys", json=body, headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"].rpartition("/")[2])


def commits_of(server: Server, deploy_id: str) -> list[str]:
    rows = server.rows(
        "select sha from deploy_commits where deploy_id = :id order by position", id=int(deploy_id)
    )
    return [row["sha"][0] for row in rows]


def test_a_push_as_github_wrote_it(server: Server) -> None:
    hook = make_hook(server, "github")
    assert hook.send(recorded("github/push.branch"), "push").status_code == 202
    [row] = server.rows("select * from pushed_commits")
    assert row["sha"] == "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
    assert (row["branch"], row["author"]) == ("master", "Codertocat")
    assert row["repository"] == "https://github.com/Codertocat/Hello-World"
    assert hook.send(recorded("github/push.tag"), "push").status_code == 200
    assert len(server.rows("select sha from pushed_commits")) == 1


def test_a_deploy_has_the_commits_since_the_one_before(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(push(A, B, at=0), "push")
    hook.send(push(C, D, at=1), "push")
    first, second = deploy(server, A, 1), deploy(server, D, 2)
    assert commits_of(server, first) == ["a"]
    assert commits_of(server, second) == ["b", "c", "d"]
    rows = server.rows("select sha, is_approximate from deploy_commits where is_approximate = 1")
    assert [row["sha"] for row in rows] == [A]


def test_pushes_may_come_after_the_deploy_and_out_of_order(server: Server) -> None:
    hook = make_hook(server, "github")
    second, first = deploy(server, D, 2), deploy(server, A[:8], 1)
    hook.send(push(C, D, at=1), "push")
    hook.send(push(A, B, at=0), "push")
    assert commits_of(server, first) == ["a"]
    assert commits_of(server, second) == ["b", "c", "d"]


def test_a_deploy_in_between_shares_what_came_before_it(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(push(A, B, C, D, at=0), "push")
    last = deploy(server, D, 3)
    assert commits_of(server, last) == ["d"]
    deploy(server, A, 1)
    assert commits_of(server, last) == ["b", "c", "d"]
    between = deploy(server, B, 2)
    assert commits_of(server, between) == ["b"]


def test_what_the_sender_says_of_commits_goes_before(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(push(A, B, C, at=0), "push")
    deploy(server, A, 1)
    told = [{"sha": C, "timestamp": "2025-10-01T00:00:00Z"}]
    assert commits_of(server, deploy(server, C, 2, commits=told)) == ["c"]


def test_commits_of_other_branches_are_not_kept(server: Server) -> None:
    hook = make_hook(server, "github")
    assert hook.send(push(A, at=0, branch="try"), "push").status_code == 200
    released = make_hook(server, "github", branch="try")
    assert released.send(push(A, at=0, branch="try"), "push").status_code == 202
    assert [row["branch"] for row in server.rows("select branch from pushed_commits")] == ["try"]


def test_a_rollback_brings_nothing_but_its_own_commit(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(push(A, B, C, at=0), "push")
    deploy(server, A, 1)
    deploy(server, C, 2)
    assert commits_of(server, deploy(server, A, 20)) == ["a"]


def test_a_long_push_is_taken(server: Server) -> None:
    hook = make_hook(server, "github")
    shas = [f"{number:040x}" for number in range(2048)]
    sent = push(*shas, at=0)
    for commit in sent["commits"]:
        commit |= {"timestamp": "2025-10-01T00:00:00Z", "modified": ["lib/a/long/path.rb"] * 40}
    assert len(json.dumps(sent)) > 1024 * 1024
    assert hook.send(sent, "push").status_code == 202
    assert server.rows("select count(*) as n from pushed_commits") == [{"n": 2048}]


def test_bad_commits_are_named(server: Server) -> None:
    hook = make_hook(server, "github")
    sent = push(A, B, at=0)
    sent["commits"][1] |= {"id": "main", "timestamp": "yesterday"}
    answer = hook.send(sent, "push")
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"commits[1].id", "commits[1].timestamp"}
    assert server.rows("select * from pushed_commits") == []


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Merge pull request #7 from acme/try\n\nRound the totals\n\nMore.", "Round the totals"),
        ("Merge branch 'try' into 'main'\n\nRound\n\nSee merge request acme/shop!7", "Round"),
        ("Merge pull request #7 from acme/try", "Merge pull request #7 from acme/try"),
        ("Round the totals (#7)\n\nMore.", "Round the totals (#7)"),
    ],
)
def test_a_merge_is_called_as_its_pull_request(server: Server, message: str, title: str) -> None:
    hook = make_hook(server, "github")
    sent = push(A, at=0)
    sent["commits"][0]["message"] = message
    hook.send(sent, "push")
    deploy(server, A, 1)
    # what a sender of deploys says itself is not looked into
    told = [{"sha": B, "timestamp": "2025-10-01T00:00:00Z", "message": message}]
    deploy(server, B, 2, commits=told)
    headers = {"Authorization": f"Bearer {server.make_key('read')}"}
    items = server.http.get("/api/v1/deploys", headers=headers).json()["items"]
    assert [item["title"] for item in items] == [message.splitlines()[0], title]
