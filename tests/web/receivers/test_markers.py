"""Markers of Honeycomb and AppSignal: only those of deploys are kept."""

from typing import Any

import pytest

from tests.conftest import Server


def mark(server: Server, dataset: str = "__all__", **marker: Any) -> int:
    headers = {"X-Honeycomb-Team": server.make_key()}
    answer = server.http.post(f"/1/markers/{dataset}", json=marker, headers=headers)
    if answer.status_code == 201:
        assert answer.json()["id"] == str(server.rows("select id from deploys")[0]["id"])
        assert answer.json()["message"] == marker["message"]
    return answer.status_code


@pytest.mark.parametrize(
    ("message", "url", "sha", "version"),
    [
        ("shop 1.2.3", "http://github.com/ZeitOnline/shop/tree/1.2.3", "1.2.3", "1.2.3"),
        ("deploy v7", None, "v7", "v7"),
        ("Deployed b6826b8", None, "b6826b8", None),
        ("new code", "https://github.com/acme/shop/commit/b6826b8d", "b6826b8d", None),
    ],
)
def test_honeycomb(
    server: Server, message: str, url: str | None, sha: str, version: str | None
) -> None:
    assert mark(server, message=message, url=url, type="deploy") == 201
    [row] = server.rows("select git_sha, version, title, url, deployed_at from deploys")
    assert row == {
        "git_sha": sha,
        "version": version,
        "title": message,
        "url": url,
        "deployed_at": server.clock(),
    }


def test_a_dataset_is_a_service(server: Server) -> None:
    start = server.clock() // 1_000_000 - 60
    assert mark(server, "shop", message="deploy 1.2.3", start_time=start) == 201
    [row] = server.rows("select service, deployed_at, started_at from deploys")
    assert row == {"service": "shop", "deployed_at": start * 1_000_000, "started_at": None}


@pytest.mark.parametrize(
    "marker",
    [
        {"message": "lunch", "type": "deploy"},
        {"message": "deploy 1.2.3 or 1.2.4"},
        {"message": "deploy 1.2.3", "type": "outage"},
        {"type": "deploy"},
        {"message": "deploy 1.2.3", "start_time": "noon"},
    ],
)
def test_no_deploy_for_honeycomb(server: Server, marker: dict[str, Any]) -> None:
    assert mark(server, **marker) == 400
    assert server.rows("select id from deploys") == []


def test_a_custom_marker_of_appsignal(server: Server) -> None:
    marker = {"marker": {"kind": "custom", "message": "Scaled up", "revision": "b6826b8"}}
    answer = server.http.post(f"/api/5a1/markers.json?token={server.make_key()}", json=marker)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("marker.kind must be deploy")
    assert server.rows("select id from deploys") == []


def test_the_address_of_the_gem_names_the_service(server: Server) -> None:
    path = f"/1/markers?api_key={server.make_key()}&environment=staging"
    answer = server.http.post(path, json={"revision": "1.2.3", "name": "billing"})
    assert answer.status_code == 200
    assert server.rows("select service, env from deploys") == [
        {"service": "billing", "env": "staging"}
    ]
