"""Posts that meet trouble of ours, or that would make one deploy too large."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.conftest import Server
from tests.web.test_refusals import post


def test_a_lone_surrogate_in_the_name_of_a_commits_field_is_named(server: Server) -> None:
    body = b'{"git_sha":"a","commits":[{"sha":"a","timestamp":1700000000,"\\ud800":1}]}'
    answer = post(server, server.make_key(), body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["commits[0]"])
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ingest/deploys", b'{"git_sha":"a"}'),
        ("/ingest/deploys", b'{"git_sha":"b","tags":"x"}'),
        ("/deployments", b'{"commitSha":"a","environmentName":"p"}'),
    ],
)
def test_a_project_deleted_meanwhile_is_not_found(server: Server, path: str, body: bytes) -> None:
    key = server.make_key()
    with closing(sqlite3.connect(server.path)) as connection:
        connection.execute("delete from keys")
        connection.execute("delete from projects")
        connection.commit()
    # 404 until the keys are read again, 401 from then on
    assert post(server, key, body, path).status_code in (401, 404)
    assert server.rows("select id from deploys") == []


def test_a_deploy_keeps_a_thousand_commits_at_most(server: Server) -> None:
    key = server.make_key()
    for part in range(3):
        commits = [{"sha": f"{part}-{i}", "timestamp": 1700000000} for i in range(600)]
        body = json.dumps({"git_sha": "a", "id": "x", "commits": commits}).encode()
        assert post(server, key, body).status_code == 202
    assert server.rows("select count(*) n from deploy_commits") == [{"n": 1000}]


def test_nothing_is_acknowledged_while_the_file_is_gone(server: Server) -> None:
    key = server.make_key()
    moved = server.path.with_name("moved")
    server.path.rename(moved)
    answer = post(server, key, b'{"git_sha":"aaaaaaa1"}')
    assert (answer.status_code, answer.json()["error"]) == (503, "busy")
    moved.rename(server.path)
    assert post(server, key, b'{"git_sha":"aaaaaaa2"}').status_code == 202
    assert server.rows("select git_sha from deploys") == [{"git_sha": "aaaaaaa2"}]
