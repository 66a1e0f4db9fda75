"""`/ingest/errors` and `/ingest/errors/batch`: the answers, and the rows behind them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.keys import ERRORS_WRITE, TRACES_WRITE
from miniapm.storage.errors.occurrences import find_occurrence_ids, get_occurrence
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START

ERROR = {
    "exception_class": "NoMethodError",
    "message": "undefined method `total' for nil",
    "backtrace": ["app/models/cart.rb:12:in `total'", "app/carts.rb:3:in `show'"],
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
def secretive_server(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    privacy = {"scrub": "iban, Tax_Number"}
    yield from start_server(tmp_path / "miniapm.db", clock, privacy=privacy)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post(server: Server, key: str, **fields: Any) -> httpx2.Response:
    body = {**ERROR, **fields}
    return server.http.post("/ingest/errors", json=body, headers=bearer(key))


def post_batch(server: Server, key: str, *errors: Any) -> httpx2.Response:
    body = {"errors": list(errors)}
    return server.http.post("/ingest/errors/batch", json=body, headers=bearer(key))


def groups(server: Server) -> list[dict[str, Any]]:
    return server.rows("select * from error_groups order by id")


def latest_occurrence(server: Server, group_id: str) -> Any:
    """The occurrence that was kept last of a group."""
    [project] = server.rows("select id from projects where slug = 'default'")
    database = server.running.context.database
    ids = server.run(database.read(find_occurrence_ids, project["id"], int(group_id)))
    found = server.run(database.read(get_occurrence, project["id"], int(group_id), ids[-1]))
    return found.occurrence


def test_an_error_is_stored_before_the_answer(server: Server) -> None:
    key = server.make_key(ERRORS_WRITE)
    answer = post(
        server,
        key,
        env="staging",
        service="shop",
        git_sha="abc1234",
        version="v2",
        timestamp=to_rfc3339(START - HOUR),
        user_id=42,
        request_id="r-1",
        trace_id=TRACE.upper(),
        span_id=SPAN,
        params={"id": 7, "password": "hunter2"},
        context={"headers": [["Authorization", "Bearer x"], ["Host", "shop"]]},
        source_context={
            "file": "app/models/cart.rb",
            "lineno": 12,
            "pre_context": ["def total"],
            "context_line": "  items.sum",
            "post_context": ["end"],
        },
    )
    assert answer.status_code == 202
    assert set(answer.json()) == {"id", "fingerprint"}
    [group] = groups(server)
    assert answer.json() == {"id": str(group["id"]), "fingerprint": group["fingerprint"]}
    assert group["service"] == "shop"
    assert group["exception_class"] == "NoMethodError"
    assert group["culprit"] == "app/models/cart.rb in total"
    assert group["first_seen_at"] == group["last_seen_at"] == START - HOUR
    assert (group["count"], group["state"]) == (1, "open")
    [release] = server.rows("select service, env, version, revision from releases")
    assert release == {"service": "shop", "env": "staging", "version": "v2", "revision": "abc1234"}
    occurrence = latest_occurrence(server, answer.json()["id"])
    assert occurrence.user_id == "42"
    assert (occurrence.trace_id, occurrence.span_id) == (TRACE, SPAN)
    assert occurrence.params == {"id": 7, "password": "[masked]"}
    assert occurrence.context == {"headers": [["Authorization", "[masked]"], ["Host", "shop"]]}
    assert occurrence.source_context.pre_context == ("def total",)


def test_the_same_error_is_one_group(server: Server) -> None:
    key = server.make_key()
    first = post(server, key, message="No user 17")
    backtrace = ["app/models/cart.rb:99:in `total'", "app/carts.rb:8:in `show'"]
    second = post(server, key, message="No user 18", backtrace=backtrace)
    assert first.json() == second.json()
    [group] = groups(server)
    assert (group["count"], group["message"]) == (2, "No user 18")
    counts = server.rows("select resolution, sum(count) as n from error_counts group by resolution")
    assert counts == [{"resolution": r, "n": 2} for r in (1, 10, 60)]


def test_the_senders_fingerprint_decides(server: Server) -> None:
    key = server.make_key()
    first = post(server, key, fingerprint="checkout")
    second = post(server, key, fingerprint="checkout", exception_class="Other", backtrace=None)
    assert first.json()["fingerprint"] == "checkout"
    assert first.json() == second.json()
    assert post(server, key, fingerprint="cart").json() != first.json()


def test_groups_are_of_a_service(server: Server) -> None:
    key = server.make_key()
    assert (
        post(server, key, service="a").json()["id"] != post(server, key, service="b").json()["id"]
    )


def test_aliases_and_what_the_key_stands_for(server: Server) -> None:
    key = server.make_key(env="preview", service="worker")
    body = {"error_type": "E", "message": "m", "happened_at": START // 1_000_000 - 60}
    answer = server.http.post("/ingest/errors", content=json.dumps(body), headers=bearer(key))
    assert answer.status_code == 202
    [group] = groups(server)
    assert (group["service"], group["exception_class"]) == ("worker", "E")
    assert group["first_seen_at"] == START - MINUTE
    assert server.rows("select env from releases") == [{"env": "preview"}]


def test_without_names_it_is_the_projects_production(server: Server) -> None:
    post(server, server.make_key())
    assert server.rows("select service, env from releases") == [
        {"service": "default", "env": "production"}
    ]


def test_it_takes_gzip(server: Server) -> None:
    body = gzip.compress(json.dumps(ERROR).encode())
    headers = {**bearer(server.make_key()), "Content-Encoding": "gzip"}
    answer = server.http.post("/ingest/errors", content=body, headers=headers)
    assert answer.status_code == 202
    assert len(groups(server)) == 1


def test_a_list_is_no_larger_inflated_than_sent(server: Server) -> None:
    headers = {**bearer(server.make_key()), "Content-Encoding": "gzip"}
    note = "x" * (8 * 1024 * 1024)
    for path, name in (("/ingest/errors/batch", "errors"), ("/ingest/requests", "requests")):
        body = gzip.compress(json.dumps({name: [{"note": note}]}).encode())
        answer = server.http.post(path, content=body, headers=headers)
        assert answer.status_code == 413
    assert server.running.context.budget.taken == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"exception_class": None, "message": None}, {"exception_class", "message"}),
        ({"exception_class": "  "}, {"exception_class"}),
        ({"message": 5}, {"message"}),
        ({"message": "a\u0000b"}, {"message"}),
        ({"message": "\ud800"}, {"message"}),
        ({"env": "x" * 101, "service": 1}, {"env", "service"}),
        ({"env": "a", "environment": "b"}, {"env", "environment"}),
        ({"exception_class": "A", "error_type": "B"}, {"exception_class", "error_type"}),
        ({"timestamp": "yesterday"}, {"timestamp"}),
        ({"timestamp": to_rfc3339(START - 15 * DAY)}, {"timestamp"}),
        ({"timestamp": to_rfc3339(START + 11 * MINUTE)}, {"timestamp"}),
        ({"happened_at": to_rfc3339(START - 15 * DAY)}, {"happened_at"}),
        ({"trace_id": "xyz", "span_id": "1"}, {"trace_id", "span_id"}),
        ({"backtrace": 7, "source_context": []}, {"backtrace", "source_context"}),
        ({"backtrace": ["a", 7]}, {"backtrace"}),
        ({"fingerprint": "x" * 201, "user_id": True}, {"fingerprint", "user_id"}),
        ({"source_context": {"lineno": "7"}}, {"source_context"}),
    ],
)
def test_every_bad_field_is_named_and_nothing_stored(
    server: Server, fields: dict[str, Any], named: set[str]
) -> None:
    body = json.dumps({**ERROR, **fields})
    headers = bearer(server.make_key())
    answer = server.http.post("/ingest/errors", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "invalid"
    assert set(answer.json()["fields"]) == named
    assert groups(server) == []
    assert len(server.rows("select id from refusals")) == 1


def test_telemetry_of_two_weeks_and_a_little_ahead_is_taken(server: Server) -> None:
    key = server.make_key()
    for at in (START - 14 * DAY + MINUTE, START + 9 * MINUTE):
        assert post(server, key, timestamp=at // 1000).status_code == 202
    [group] = groups(server)
    assert group["last_seen_at"] - group["first_seen_at"] == 14 * DAY + 8 * MINUTE


def test_an_error_may_say_nothing(server: Server) -> None:
    assert post(server, server.make_key(), message="").status_code == 202


def test_long_things_are_cut_and_colours_go(server: Server) -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(50):
        inner["x"] = {}
        inner = inner["x"]
    answer = post(
        server,
        server.make_key(),
        exception_class="C" * 500,
        message="\x1b[31m" + "m" * 20_000 + "\x1b[0m",
        backtrace="\n".join(f"app/x{n}.rb:{n}:in `f'" for n in range(1000)),
        params={"list": list(range(1000)), "text": "t" * 5000},
        context=deep,
    )
    assert answer.status_code == 202
    occurrence = latest_occurrence(server, answer.json()["id"])
    assert len(occurrence.exception_class) == 200
    assert len(occurrence.message) == 10_000
    assert occurrence.message.endswith("[cut]")
    assert occurrence.message.startswith("m")
    assert len(occurrence.backtrace) == 401
    assert "[cut 600 lines]" in occurrence.backtrace[200]
    assert len(occurrence.params["list"]) == 101
    assert len(occurrence.params["text"]) == 2000
    assert len(json.dumps(occurrence.context)) < 200


@pytest.mark.parametrize("scopes", [(TRACES_WRITE,), ("read",)])
@pytest.mark.parametrize("path", ["/ingest/errors", "/ingest/errors/batch"])
def test_it_takes_the_scope(server: Server, path: str, scopes: tuple[str, ...]) -> None:
    headers = bearer(server.make_key(*scopes))
    answer = server.http.post(path, json={"errors": [ERROR], **ERROR}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert groups(server) == []


def test_a_batch_keeps_the_good_and_names_the_bad(server: Server) -> None:
    key = server.make_key()
    bad = {"message": "m", "env": 7}
    answer = post_batch(server, key, ERROR, bad, "no object", {**ERROR, "service": "b"})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    first, second = answer.json()["rejected"]
    assert (first["index"], set(first["fields"])) == (1, {"exception_class", "env"})
    assert second == {"index": 2, "fields": {"error": "must be an object"}}
    assert [group["service"] for group in groups(server)] == ["default", "b"]


@pytest.mark.parametrize(
    "errors", [None, {}, "x", [ERROR] * 1001], ids=["missing", "object", "text", "too many"]
)
def test_a_batch_that_is_none_is_refused(server: Server, errors: Any) -> None:
    headers = bearer(server.make_key())
    answer = server.http.post("/ingest/errors/batch", json={"errors": errors}, headers=headers)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {"errors"})
    assert groups(server) == []


def test_a_batch_may_be_empty_or_a_thousand(server: Server) -> None:
    key = server.make_key()
    assert post_batch(server, key).json() == {"accepted": 0, "rejected": []}
    answer = post_batch(server, key, *[ERROR] * 1000)
    assert answer.json() == {"accepted": 1000, "rejected": []}
    [group] = groups(server)
    assert group["count"] == 1000
    [kept] = server.rows("select count(*) as n from error_occurrences")
    assert kept["n"] == 10


def test_the_same_error_in_the_same_span_counts_once(server: Server) -> None:
    key = server.make_key()
    for _ in range(2):
        post(server, key, trace_id=TRACE, span_id=SPAN)
    post_batch(server, key, *[{**ERROR, "trace_id": TRACE, "span_id": SPAN}] * 3)
    [group] = groups(server)
    assert group["count"] == 1
    post(server, key, trace_id=TRACE, span_id="00f067aa0ba902b8")
    assert groups(server)[0]["count"] == 2


def test_secrets_of_the_setting_are_masked_before_they_are_stored(
    secretive_server: Server,
) -> None:
    server = secretive_server
    answer = post(
        server,
        server.make_key(),
        message="iban=DE12 and password=hunter2 at http://a.b/?token=abc",
        params={"IBAN": "DE12", "tax-number": 7, "name": "ada"},
    )
    occurrence = latest_occurrence(server, answer.json()["id"])
    assert occurrence.message == (
        "iban=[masked] and password=[masked] at http://a.b/?token=[masked]"
    )
    assert occurrence.params == {"IBAN": "[masked]", "tax-number": "[masked]", "name": "ada"}
    stored = b"".join(
        path.read_bytes() for path in server.path.parent.glob("miniapm.db*") if path.is_file()
    )
    assert b"hunter2" not in stored
    assert b"[masked]" in stored
