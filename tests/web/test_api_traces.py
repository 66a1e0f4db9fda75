"""Traces over the JSON API."""

from typing import Any

import pytest

from miniapm.clock import HOUR, SECOND, to_rfc3339
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.entry_rows import add_entries, make_entry
from tests.web.trace_bodies import CALL, ROOT, STACK, TRACE, make_shop, send, send_checkout

LIST = "/api/v1/traces"


def ask(server: Server, path: str, expected: int = 200, **parameters: Any) -> Any:
    key = server.make_key("read")
    answer = server.http.get(path, params=parameters, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == expected, answer.text
    return answer.json()


def names(found: Any) -> list[str]:
    return [item["endpoint"] for item in found["items"]]


def test_an_item_tells_all_of_a_request(server: Server) -> None:
    entry = make_entry(
        endpoint="GET /x", started_at=START - 7, duration_us=123, failed=True, status_code=502,
        trace_id=bytes.fromhex(TRACE), database_us=1, database_count=2, http_us=3, http_count=4,
        version="v9", revision="abc",
    )  # fmt: skip
    add_entries(server, [entry])
    [row] = server.rows("select id, endpoint_id from entries")
    assert ask(server, LIST) == {
        "items": [
            {
                "id": str(row["id"]), "trace_id": TRACE, "project": "default",
                "endpoint": "GET /x", "endpoint_id": str(row["endpoint_id"]), "service": "shop",
                "env": "production", "version": "v9", "revision": "abc",
                "started_at": to_rfc3339(START - 7), "duration_us": 123, "status_code": 502,
                "failed": True, "database_us": 1, "database_count": 2, "http_us": 3,
                "http_count": 4, "page": f"{server.url}/p/default/traces/{TRACE}?at={row['id']}",
            }
        ],
        "next_cursor": None,
    }  # fmt: skip


def test_filters_and_order(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint="a", started_at=START - HOUR, duration_us=500, status_code=404),
            make_entry(endpoint="b", started_at=START - 5, duration_us=9000, failed=True),
            make_entry(endpoint="c", started_at=START - 4, duration_us=20, version="v2", env="qa"),
        ],
    )
    assert names(ask(server, LIST)) == ["c", "b", "a"]
    assert names(ask(server, LIST, sort="slow")) == ["b", "a", "c"]
    assert names(ask(server, LIST, status="failed")) == ["b"]
    assert names(ask(server, LIST, status="4xx")) == ["a"]
    assert names(ask(server, LIST, min_ms=0.5)) == ["b", "a"]
    assert names(ask(server, LIST, version="v2")) == ["c"]
    assert names(ask(server, LIST, env="qa")) == ["c"]
    assert names(ask(server, LIST, service="none")) == []
    assert names(ask(server, LIST, until=to_rfc3339(START - SECOND))) == ["a"]
    assert names(ask(server, LIST, since=to_rfc3339(START - SECOND))) == ["c", "b"]
    [endpoint] = server.rows("select id from endpoints where name = 'b'")
    assert names(ask(server, LIST, endpoint=endpoint["id"])) == ["b"]


def test_cursors(server: Server) -> None:
    add_entries(
        server,
        [make_entry(endpoint=f"e{n}", started_at=START - n, duration_us=n) for n in range(1, 8)],
    )
    for sort in ("recent", "slow"):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = ask(server, LIST, limit=3, sort=sort, cursor=cursor)
            assert len(page["items"]) <= 3
            found += names(page)
            cursor = page["next_cursor"]
        assert sorted(found) == [f"e{n}" for n in range(1, 8)]


def test_every_bad_parameter_is_named(server: Server) -> None:
    answer = ask(
        server, LIST, 400, sort="x", endpoint="x", min_ms=-1, status="x", limit=0, cursor="x",
        since="x", trace="x",
    )  # fmt: skip
    assert set(answer["fields"]) == {
        "sort", "endpoint", "min_ms", "status", "limit", "cursor", "since", "trace",
    }  # fmt: skip


def test_a_trace_has_its_spans_with_secrets_masked(server: Server) -> None:
    send_checkout(server)
    trace = ask(server, f"{LIST}/{TRACE}")
    assert (trace["trace_id"], trace["span_count"], trace["is_complete"]) == (TRACE, 18, True)
    assert trace["duration_us"] == 400_000
    assert {item["endpoint"] for item in trace["requests"]} == {
        "POST /checkout", "POST /charges/{id}",
    }  # fmt: skip
    spans = {span["name"]: span for span in trace["spans"]}
    root = spans["GET /"]
    assert (root["span_id"], root["parent_id"], root["kind"]) == (ROOT.hex(), None, "server")
    assert root["attributes"]["http.request.header.cookie"] == "[masked]"
    assert (root["duration_us"], root["failed"], root["status_code"]) == (400_000, True, 500)
    assert root["self_us"] == 400_000 - 14 * 4000 - 200_000
    call = spans["POST"]
    assert call["parent_id"] == ROOT.hex()
    assert call["attributes"]["http.url"] == "https://pay/charges/17?token=[masked]"
    assert spans["POST /charges/{id}"]["parent_id"] == CALL.hex()
    [event] = spans["charge"]["events"]
    assert event["attributes"]["exception.message"] == "declined password=[masked]"
    assert event["attributes"]["exception.stacktrace"] == STACK.rstrip("\n")
    resources = [trace["resources"][spans[name]["resource"]] for name in ("GET /", "charge")]
    assert [r["service"] for r in resources] == ["shop", "pay"]
    assert resources[0]["version"] == "v2"
    assert resources[1]["env"] == "staging"
    assert resources[0]["attributes"]["host.name"] == "shop-1"


def test_a_trace_that_is_not_there(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    send(server, make_shop(), project="other")
    for trace_id in (TRACE, "1", "x" * 32):
        assert ask(server, f"{LIST}/{trace_id}", 404)["error"] == "not_found"


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_a_browser_sees_the_traces_of_its_projects(server: Server, role: str) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    send(server, make_shop(), project="other")
    mine = server.sign_in(role, ("default", "other"))
    found = mine.get(f"{LIST}/{TRACE}")
    assert found.status_code == 200
    assert found.json()["project"] == "other"
    assert mine.get(f"{LIST}/{TRACE}?project=default").status_code == 404
    listed = mine.get(f"{LIST}?project=other").json()
    assert [item["trace_id"] for item in listed["items"]] == [TRACE]
    if role == "viewer":
        stranger = server.sign_in(role, ("default",))
        assert stranger.get(f"{LIST}/{TRACE}").status_code == 404
        assert stranger.get(f"{LIST}?project=other").status_code == 404


def test_what_a_very_large_trace_holds_is_left_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_checkout(server)
    monkeypatch.setattr("miniapm.web.api.whole_trace_bodies.MOST_DETAIL_BYTES", 1000)
    trace = ask(server, f"{LIST}/{TRACE}")
    assert (trace["span_count"], trace["is_complete"]) == (18, False)
    assert trace["spans"][0]["attributes"]
    assert not trace["spans"][-1]["attributes"]
