"""Endpoints over the JSON API: figures, filters, pages, who may."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.entry_rows import add_entries, make_entry

PATH = "/api/v1/endpoints"


def ask(server: Server, **query: Any) -> dict[str, Any]:
    answer = server.http.get(PATH, params=query, headers=bearer(server))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearer(server: Server, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.make_key(*(scopes or ('read',)))}"}


def names(body: dict[str, Any]) -> list[str]:
    return [item["name"] for item in body["items"]]


def test_an_item_has_the_figures(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(started_at=START - HOUR + n * MINUTE, duration_us=1000 * n, failed=n == 4)
            for n in range(1, 21)
        ],
    )
    [item] = ask(server)["items"]
    for name, value in (("p50_us", 10_000), ("p95_us", 19_000), ("p99_us", 20_000)):
        assert item.pop(name) == pytest.approx(value, rel=0.025)
    last = START - HOUR + 20 * MINUTE
    assert item.pop("last_seen_at")[:16] == to_rfc3339(last)[:16]
    assert item == {
        "id": "1",
        "service": "shop",
        "name": "GET /",
        "count": 20,
        "failed": 1,
        "error_rate": 0.05,
        "duration_us": 210_000,
        "first_seen_at": to_rfc3339(START - HOUR + MINUTE),
        "page": f"{server.url}/p/default/endpoints/1",
    }


def test_the_last_day_unless_said_otherwise(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(started_at=START - 2 * DAY, endpoint="old"),
            make_entry(started_at=START - HOUR, endpoint="new"),
        ],
    )
    assert names(ask(server)) == ["new"]
    assert names(ask(server, since=to_rfc3339(START - 3 * DAY))) == ["new", "old"]
    old = ask(server, since=to_rfc3339(START - 3 * DAY), until=to_rfc3339(START - DAY))
    assert names(old) == ["old"]
    assert names(ask(server, until=to_rfc3339(START - 2 * DAY + MINUTE))) == ["old"]
    assert ask(server, since=to_rfc3339(START - MINUTE)) == {"items": [], "next_cursor": None}
    assert ask(server, since="2001-01-01T00:00:00Z", until="2001-01-02T00:00:00Z")["items"] == []


def test_filters(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint="a"),
            make_entry(endpoint="a", env="staging"),
            make_entry(endpoint="b", service="worker"),
        ],
    )
    assert [(i["name"], i["count"]) for i in ask(server)["items"]] == [("b", 1), ("a", 2)]
    assert [(i["name"], i["count"]) for i in ask(server, env="staging")["items"]] == [("a", 1)]
    assert names(ask(server, service="worker")) == ["b"]


def test_pages_hold_every_endpoint_once(server: Server) -> None:
    add_entries(server, [make_entry(endpoint=f"GET /{n}") for n in range(7)])
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(4):
        body = ask(server, limit=2, **cursor)
        found += names(body)
        cursor = {"cursor": body["next_cursor"]}
    assert body["next_cursor"] is None
    assert found == [f"GET /{n}" for n in range(6, -1, -1)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "x"}, "until"),
        ({"since": "2025-10-09T08:00:00Z", "until": "2025-10-09T08:00:00Z"}, "since"),
        ({"limit": "501"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"sort": "p95"}, "sort"),
    ],
)
def test_what_cannot_be_is_named(server: Server, query: dict[str, str], field: str) -> None:
    answer = server.http.get(PATH, params=query, headers=bearer(server))
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {field}


def test_who_may(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_entries(server, [make_entry(endpoint="mine")])
    add_entries(server, [make_entry(endpoint="theirs")], project="other")
    assert names(ask(server)) == ["mine"]
    refused = server.http.get(PATH, headers=bearer(server, "traces:write"))
    assert refused.status_code == 403

    def browse(client: httpx2.Client, **query: str) -> httpx2.Response:
        return client.get(PATH, params=query)

    viewer = server.sign_in("viewer")
    assert names(browse(viewer).json()) == ["mine"]
    assert browse(viewer, project="other").status_code == 404
    admin = server.sign_in()
    assert browse(admin).status_code == 400
    assert names(browse(admin, project="other").json()) == ["theirs"]
