"""DevLake's deployments: several commits in one, and the same id again."""

from typing import Any

import httpx2
import pytest

from tests.conftest import Server
from tests.web.receivers.client_calls import at_time_of_captures, find_call, post

SHA, OTHER = "015e3d3b480e417aede5a1293bd61de9b0fd051d", "b6826b8d015e3d3b480e417aede5a1293bd61de9"


@pytest.fixture
def server(server: Server) -> Server:
    return at_time_of_captures(server)


def send(server: Server, key: str, place: str = "connections/1", **more: Any) -> httpx2.Response:
    value = httpx2.Response(200, content=find_call("devlake").content).json()
    path = f"/api/rest/plugins/webhook/{place}/deployments"
    return post(server, path, {**value, **more}, key)


@pytest.mark.parametrize(
    "path",
    [
        f"/api{prefix}/plugins/webhook/{place}/deployments"
        for prefix in ("", "/rest")
        for place in ("connections/1", "connections/by-name/shop", "projects/My%20Shop")
    ],
)
def test_each_of_its_addresses(server: Server, path: str) -> None:
    value = httpx2.Response(200, content=find_call("devlake").content).json()
    answer = post(server, path, value, server.make_key())
    assert (answer.status_code, answer.json()) == (200, None)
    assert server.rows("select git_sha from deploys") == [{"git_sha": SHA}]


def test_several_commits(server: Server) -> None:
    commits = [
        {"repoUrl": "https://github.com/acme/shop", "commitSha": SHA, "commitMsg": "Round"},
        {"repoUrl": "https://github.com/acme/till", "commitSha": OTHER},
    ]
    assert send(server, server.make_key(), deploymentCommits=commits).status_code == 200
    [row] = server.rows("select git_sha, repository from deploys")
    assert row == {"git_sha": SHA, "repository": "https://github.com/acme/shop"}
    rows = server.rows("select sha, message from deploy_commits order by sha")
    assert rows == [{"sha": SHA, "message": "Round"}, {"sha": OTHER, "message": None}]


def test_the_same_id_again_changes_it(server: Server) -> None:
    key = server.make_key()
    send(server, key, result="FAILURE", originalEnvironment="staging-eu")
    send(server, key, result="SUCCESS", originalEnvironment="staging-eu", displayTitle="Retried")
    assert server.rows("select status, env, title from deploys") == [
        {"status": "succeeded", "env": "staging-eu", "title": "Retried"}
    ]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"deploymentCommits": []}, "deploymentCommits"),
        ({"deploymentCommits": None}, "deploymentCommits"),
        ({"deploymentCommits": [{"repoUrl": "x"}]}, "deploymentCommits[0].commitSha"),
        ({"deploymentCommits": ["x"]}, "deploymentCommits[0]"),
        ({"result": "MAYBE"}, "result"),
        ({"finishedDate": "noon"}, "finishedDate"),
        ({"startedDate": "2026-11-21T22:00:00Z"}, "startedDate"),
        ({"id": "x" * 201}, "id"),
    ],
)
def test_what_is_wrong_is_named(server: Server, more: dict[str, Any], named: str) -> None:
    answer = send(server, server.make_key(), **more)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert [cause.partition(" ")[0] for cause in answer.json()["causes"]] == [named]
    assert server.rows("select id from deploys") == []
