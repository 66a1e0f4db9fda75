"""Honeybadger's deploys, in the ways that its clients write them."""

from urllib.parse import quote

from tests.conftest import Server


def test_all_but_the_key_in_the_query(server: Server) -> None:
    key = server.make_key()
    path = "/v1/deploys?deploy[environment]=staging&deploy[revision]=b6826b8&deploy[repository]="
    repository = quote("git@github.com:acme/shop.git")
    path = f"{path}{repository}&deploy[local_username]=Jane"
    assert server.http.post(path, headers={"X-API-Key": key}).status_code == 201
    [row] = server.rows("select * from deploys")
    assert (row["git_sha"], row["env"], row["deployer"]) == ("b6826b8", "staging", "Jane")
    assert row["repository"] == "git@github.com:acme/shop.git"


def test_no_key_in_the_query(server: Server) -> None:
    path = f"/v1/deploys?deploy[revision]=b6826b8&api_key={server.make_key()}"
    answer = server.http.post(path)
    assert (answer.status_code, answer.json()) == (
        401,
        {"errors": "A key is needed: send it as the header X-API-Key, or api_key in the body."},
    )
    assert server.rows("select id from deploys") == []


def test_the_fields_alone(server: Server) -> None:
    fields = {"environment": "qa", "revision": "b6826b8", "local_username": "Jane"}
    answer = server.http.post("/v1/deploys", json=fields, headers={"X-API-Key": server.make_key()})
    assert answer.status_code == 201
    assert server.rows("select git_sha, env, deployer from deploys") == [
        {"git_sha": "b6826b8", "env": "qa", "deployer": "Jane"}
    ]


def test_a_version_for_a_revision(server: Server) -> None:
    form = {"api_key": server.make_key(), "deploy[revision]": "v1.2.3"}
    assert server.http.post("/v1/deploys", data=form).status_code == 201
    [row] = server.rows("select git_sha, version, env from deploys")
    assert row == {"git_sha": "v1.2.3", "version": None, "env": "production"}


def test_without_a_revision(server: Server) -> None:
    form = {"api_key": server.make_key(), "deploy[environment]": "production"}
    answer = server.http.post("/v1/deploys", data=form)
    assert answer.status_code == 400
    assert answer.json() == {"errors": "deploy.revision is required."}
    assert server.rows("select id from deploys") == []


def test_what_stands_twice_is_an_object_or_none(server: Server) -> None:
    form = {"api_key": server.make_key(), "deploy": "x", "deploy[revision]": "b6826b8"}
    assert server.http.post("/v1/deploys", data=form).status_code == 400


def test_no_deploy_is_lost_for_a_long_name_or_a_bad_address(server: Server) -> None:
    form = {
        "api_key": server.make_key(),
        "deploy[revision]": "b6826b8",
        "deploy[local_username]": "j" * 500,
        "deploy[repository]": "acme/shop",
    }
    assert server.http.post("/v1/deploys", data=form).status_code == 201
    [row] = server.rows("select deployer, repository from deploys")
    assert row == {"deployer": "j" * 200, "repository": None}
