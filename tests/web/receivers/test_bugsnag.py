"""Bugsnag's builds come to the root of the site, which is the home page for everything else."""

import pytest

from tests.conftest import Server


def test_a_version_alone(server: Server) -> None:
    answer = server.http.post("/", json={"apiKey": server.make_key(), "appVersion": "1.3.5"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert server.rows("select git_sha, version, env from deploys") == [
        {"git_sha": "1.3.5", "version": "1.3.5", "env": "production"}
    ]


def test_every_bad_field_is_named(server: Server) -> None:
    body = {
        "apiKey": server.make_key(),
        "appVersion": 5,
        "sourceControl": {"revision": "b6826b8"},
        "releaseStage": ["x"],
    }
    answer = server.http.post("/", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        "appVersion must be a string",
        "releaseStage must be a string",
    ]


def test_the_home_page_stays_what_it_is(server: Server) -> None:
    browser = server.sign_in()
    assert browser.get("/").status_code in (200, 302, 303, 307)
    assert server.http.get("/").headers.get("content-type") != "application/json"
    assert browser.head("/").status_code == browser.get("/").status_code


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(server: Server, method: str) -> None:
    answer = server.http.request(method, "/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_no_session_is_enough(server: Server) -> None:
    answer = server.sign_in().post("/", json={"appVersion": "1.3.5"})
    assert answer.status_code == 401
    assert server.rows("select id from deploys") == []
