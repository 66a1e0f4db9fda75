"""BigPanda's deployments: an end says neither where nor when they began."""

from miniapm.clock import DAY, MINUTE
from tests import factories
from tests.conftest import Server
from tests.web.receivers.client_calls import post

START = "/data/events/deployments/start"
END = "/data/events/deployments/end"
DEPLOYMENT = {"component": "shop", "version": "1.3", "hosts": ["vm"]}


def test_an_end_finds_its_environment(server: Server) -> None:
    key = server.make_key()
    assert post(server, START, {**DEPLOYMENT, "env": "staging"}, key).status_code == 200
    begun = server.clock()
    server.clock.move(2 * MINUTE)
    assert post(server, END, {**DEPLOYMENT, "status": "success"}, key).status_code == 200
    assert server.rows("select env, status, started_at, deployed_at from deploys") == [
        {
            "env": "staging",
            "status": "succeeded",
            "started_at": begun,
            "deployed_at": begun + 2 * MINUTE,
        }
    ]


def test_of_two_the_one_that_began_last(server: Server) -> None:
    key = server.make_key()
    for env in ("staging", "production"):
        post(server, START, {**DEPLOYMENT, "env": env}, key)
        server.clock.move(MINUTE)
    post(server, END, {**DEPLOYMENT, "status": "failure", "errorMessage": "boom"}, key)
    post(server, END, {**DEPLOYMENT, "status": "success"}, key)
    assert server.rows("select env, status, description from deploys order by env") == [
        {"env": "production", "status": "failed", "description": "boom"},
        {"env": "staging", "status": "succeeded", "description": None},
    ]


def test_neither_another_service_nor_another_version_nor_last_month(server: Server) -> None:
    key = server.make_key()
    for change in ({"component": "api"}, {"version": "1.2"}):
        post(server, START, {**DEPLOYMENT, "env": "staging", **change}, key)
    post(server, START, {**DEPLOYMENT, "env": "staging"}, key)
    server.clock.move(30 * DAY)
    post(server, END, {**DEPLOYMENT, "status": "success"}, key)
    rows = server.rows("select env, git_sha, service from deploys where status = 'succeeded'")
    assert rows == [{"env": "production", "git_sha": "1.3", "service": "shop"}]


def test_another_project_ends_nothing_here(server: Server) -> None:
    post(server, START, {**DEPLOYMENT, "env": "staging"}, server.make_key())
    server.run(factories.insert_project(server.running.context, "other"))
    post(server, END, {**DEPLOYMENT, "status": "success"}, server.make_key(project="other"))
    assert server.rows("select env, status from deploys order by env") == [
        {"env": "production", "status": "succeeded"},
        {"env": "staging", "status": "started"},
    ]


def test_a_commit_for_a_version(server: Server) -> None:
    value = {**DEPLOYMENT, "version": "b6826b8"}
    assert post(server, START, value, server.make_key()).status_code == 200
    assert server.rows("select git_sha, version from deploys") == [
        {"git_sha": "b6826b8", "version": None}
    ]


def test_an_end_that_says_not_how(server: Server) -> None:
    key = server.make_key()
    for value in (DEPLOYMENT, {**DEPLOYMENT, "status": "done"}):
        answer = post(server, END, value, key)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("status ")
    answer = post(server, START, {"component": "shop"}, key)
    assert answer.json()["message"] == "version is required."
    assert server.rows("select id from deploys") == []
