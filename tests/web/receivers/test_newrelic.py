"""New Relic's deployments: the application is asked for by name, then named by its id."""

import pytest

from tests.conftest import Server


@pytest.mark.parametrize("name", ["shop", "My Shop (Production)", "a/b", "Laden für Käse", "4711"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_from_a_name_to_a_deploy(server: Server, name: str, method: str) -> None:
    headers = {"Api-Key": server.make_key()}
    fields = {"filter[name]": name}
    if method == "GET":
        found = server.http.get("/v2/applications.json", params=fields, headers=headers)
    else:
        found = server.http.post("/v2/applications.json", data=fields, headers=headers)
    assert found.status_code == 200
    [application] = found.json()["applications"]
    assert application["name"] == name
    # as clients do: as it is
    path = f"/v2/applications/{application['id']}/deployments.json"
    body = {"deployment": {"revision": "b6826b8"}}
    answer = server.http.post(path, json=body, headers=headers)
    assert answer.status_code == 201
    [row] = server.rows("select id, service, git_sha from deploys")
    assert (row["service"], row["git_sha"]) == (name, "b6826b8")
    assert answer.json() == {"deployment": {"id": str(row["id"]), "revision": "b6826b8"}}


def test_without_a_name_it_is_the_service_of_the_key(server: Server) -> None:
    headers = {"X-Api-Key": server.make_key(service="shop")}
    for answer in (
        server.http.get("/v2/applications.json", headers=headers),
        server.http.post("/v2/applications.json", headers=headers),
    ):
        assert answer.json() == {"applications": [{"id": "shop", "name": "shop"}]}


def test_a_number_of_new_relic_is_the_service_of_the_key(server: Server) -> None:
    headers = {"X-Api-Key": server.make_key(service="shop")}
    body = {"deployment": {"revision": "b6826b8", "timestamp": "2025-10-09T08:00:00Z"}}
    path = "/v2/applications/987/deployments.json"
    assert server.http.post(path, json=body, headers=headers).status_code == 201
    assert server.rows("select service, deployed_at from deploys") == [
        {"service": "shop", "deployed_at": 1_759_996_800_000_000}
    ]


@pytest.mark.parametrize("application", ["~AAAA", "%00", "x" * 101])
def test_an_id_that_is_no_name_of_a_service(server: Server, application: str) -> None:
    answer = server.http.post(
        f"/v2/applications/{application}/deployments.json",
        json={"deployment": {"revision": "b6826b8"}},
        headers={"X-Api-Key": server.make_key()},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["title"].startswith("service ")
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize("application", ["~", "~x", "~~", "shop~"])
def test_an_id_of_its_own_making_is_a_name(server: Server, application: str) -> None:
    answer = server.http.post(
        f"/v2/applications/{application}/deployments.json",
        json={"deployment": {"revision": "b6826b8"}},
        headers={"X-Api-Key": server.make_key()},
    )
    assert answer.status_code == 201
    assert len(server.rows("select id from deploys")) == 1


def test_without_a_revision(server: Server) -> None:
    answer = server.http.post(
        "/v2/applications/987/deployments.json",
        json={"revision": "b6826b8"},
        headers={"X-Api-Key": server.make_key()},
    )
    assert answer.status_code == 400
    assert answer.json() == {"error": {"title": "deployment.revision is required."}}
