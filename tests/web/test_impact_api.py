"""`/api/v1/deploys/{id}/impact` and `/review`: what they answer, how long they wait, what they
store."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest

from miniapm.clock import DAY, MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import Confounder
from miniapm.domain.keys import DEPLOYS_ADMIN, DEPLOYS_WRITE, READ
from miniapm.storage.deploys.find import DeployFilter
from miniapm.storage.deploys.shown import find_shown
from miniapm.storage.impact.verdicts import find_strips
from miniapm.web.live import LiveFeed
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START
from tests.impacts import add_verdict, make_endpoint, make_error
from tests.web.deploy_rows import add_deploy

FIELDS = [
    "deploy_id", "state", "verdict", "learning", "outcome", "sentence", "reasons",
    "endpoints", "endpoints_left_out",
    "smallest_visible_change", "computed_at", "look", "at", "before", "after", "errors",
    "confounders", "moments", "fired", "next_look_at", "review", "transitions",
]  # fmt: skip
# the job judges none of before; what stands there stays
OLD = START - 20 * DAY


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(server: Server, deploy: Deploy, scope: str = READ, **query: Any) -> httpx2.Response:
    key = server.make_key(scope)
    path = f"/api/v1/deploys/{deploy.id}/impact"
    return server.http.get(path, params=query, headers=bearer(key), timeout=30)


def review(server: Server, deploy: Deploy, body: Any) -> httpx2.Response:
    headers = bearer(server.make_key(DEPLOYS_ADMIN))
    return server.http.post(f"/api/v1/deploys/{deploy.id}/review", json=body, headers=headers)


def old_deploy(server: Server, **fields: Any) -> Deploy:
    return add_deploy(server, **{"version": "v2", "deployed_at": OLD, **fields})


def test_a_deploy_without_a_verdict_is_pending(server: Server) -> None:
    deploy = add_deploy(server, status="started", version="v2")
    answer = ask(server, deploy, DEPLOYS_WRITE)
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == FIELDS
    assert body == {
        "deploy_id": str(deploy.id),
        "state": "pending",
        "verdict": "not_enough_data",
        "learning": False,
        "outcome": "pending",
        "sentence": "v2 still runs: it is judged once it is live.",
        "reasons": [],
        "endpoints": [],
        "endpoints_left_out": 0,
        "smallest_visible_change": None,
        "computed_at": None,
        "look": None,
        "at": to_rfc3339(deploy.deployed_at),
        "before": None,
        "after": None,
        "errors": [],
        "confounders": [],
        "moments": 0,
        "fired": 0,
        "next_look_at": None,
        "review": None,
        "transitions": [],
    }


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": "failed"}, "v2 did not go live: there is nothing to judge."),
        ({"hidden_at": START}, "v2 is hidden: it is not judged."),
        ({}, "v2 was not judged while the minutes around it were kept."),
    ],
)
def test_what_never_will_be_judged_says_why(
    server: Server, fields: dict[str, Any], sentence: str
) -> None:
    body = ask(server, old_deploy(server, **fields)).json()
    assert (body["state"], body["sentence"]) == ("pending", sentence)


def test_a_verdict_is_told_with_its_evidence(server: Server) -> None:
    near = old_deploy(server, version="v7", service="worker", deployed_at=OLD - MINUTE)
    deploy = old_deploy(server)
    impact = add_verdict(
        server,
        deploy,
        endpoints=(make_endpoint(), make_endpoint(endpoint_id=2, verdict="not_enough_data")),
        errors=(make_error(),),
        confounders=(Confounder(near.id, "worker", "v7", near.deployed_at),),
    )
    body = ask(server, deploy).json()
    assert list(body) == FIELDS
    assert (body["state"], body["verdict"], body["learning"]) == ("final", "regressed", False)
    assert body["sentence"] == impact.sentence
    assert body["reasons"] == list(impact.reasons)
    assert body["smallest_visible_change"] == 0.18
    assert (body["look"], body["moments"], body["fired"]) == (60, 2016, 9)
    assert body["at"] == to_rfc3339(impact.at)
    assert body["computed_at"] == to_rfc3339(impact.computed_at)
    assert impact.look is not None
    assert body["before"] == {
        "since": to_rfc3339(impact.before.since), "until": to_rfc3339(impact.before.until),
    }  # fmt: skip
    assert body["after"]["until"] == to_rfc3339(impact.look.after.until)
    worst, unknown = body["endpoints"]
    assert (worst["endpoint_id"], worst["name"]) == ("1", "POST /checkout")
    assert (worst["p95_before_us"], worst["p95_after_us"]) == (200_000, 284_000)
    assert worst["changes"][1]["change"] == pytest.approx(0.42)
    assert (worst["error_rate_before"], worst["requests_after"]) == (0.001, 5950)
    assert (unknown["p50_before_us"], unknown["smallest_visible_change"]) == (None, None)
    assert unknown["note"].startswith("only 31 requests")
    assert body["errors"][0]["error_id"] == "7"
    assert body["confounders"][0]["deploy_id"] == str(near.id)
    assert [(t["state"], t["verdict"], t["look"]) for t in body["transitions"]] == [
        ("final", "regressed", 60)
    ]
    assert body["review"] is None


def test_the_verdict_stands_in_the_deploy_and_in_lists(server: Server) -> None:
    judged, waiting, plain = (old_deploy(server, deployed_at=OLD + n) for n in range(3))
    add_verdict(server, judged, endpoints=(make_endpoint(verdict="improved"),))
    add_verdict(server, waiting, state="pending")
    headers = bearer(server.make_key(READ))
    items = server.http.get("/api/v1/deploys", headers=headers).json()["items"]
    assert {item["id"]: item["verdict"] for item in items} == {
        str(judged.id): "improved",
        str(waiting.id): None,
        str(plain.id): None,
    }
    one = server.http.get(f"/api/v1/deploys/{judged.id}", headers=headers).json()
    assert one["verdict"] == "improved"


def test_a_list_asks_for_all_verdicts_at_once(server: Server) -> None:
    for number in range(20):
        add_verdict(server, old_deploy(server, deployed_at=OLD + number * MINUTE))
    [project] = server.rows("select id from projects")
    said: list[str] = []

    def look(connection: Any) -> int:
        connection.set_trace_callback(said.append)
        page = find_shown(connection, project["id"], DeployFilter(), 50)
        find_strips(connection, project["id"], [shown.deploy.id for shown in page.deploys])
        connection.set_trace_callback(None)
        return sum(1 for shown in page.deploys if shown.verdict is not None)

    assert server.run(server.running.context.database.read(look)) == 20
    # what a statement asks for inside itself is traced as `--`
    assert sum(1 for sql in said if "impacts" in sql and not sql.startswith("--")) == 2


@pytest.mark.parametrize("wait", ["61", "-1", "soon", "1.5", "null"])
def test_a_bad_wait_is_named(server: Server, wait: str) -> None:
    answer = ask(server, old_deploy(server), wait=wait)
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"wait": "must be a whole number from 0 to 60"}


def test_other_parameters_are_named(server: Server) -> None:
    answer = ask(server, old_deploy(server), wiat="5")
    assert answer.status_code == 400
    assert "did you mean wait" in answer.json()["fields"]["wiat"].lower()


async def count_listeners(server: Server) -> int:
    return server.running.context.live.count


@contextmanager
def waiting(server: Server, deploy: Deploy, seconds: int = 20) -> Iterator[Future[httpx2.Response]]:
    """A call that waits, once it is known to listen."""
    before = server.run(count_listeners(server))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(ask, server, deploy, wait=seconds)
        deadline = time.monotonic() + 10
        while server.run(count_listeners(server)) <= before:
            assert time.monotonic() < deadline, "it does not listen"
        yield future


def open_deploy(server: Server) -> Deploy:
    """One that time may still bring a verdict for, and the job leaves alone."""
    return add_deploy(server, status="started", version="v2")


def test_waiting_ends_with_another_verdict(server: Server) -> None:
    deploy = open_deploy(server)
    add_verdict(server, deploy, state="pending")
    began = time.monotonic()
    with waiting(server, deploy) as future:
        server.clock.move(20 * MINUTE)
        add_verdict(server, deploy, state="provisional", minutes=10)
        body = future.result(15).json()
    assert (body["state"], body["verdict"]) == ("provisional", "regressed")
    assert time.monotonic() - began < 15


def test_the_first_row_of_a_deploy_is_no_news_while_it_is_pending(server: Server) -> None:
    deploy = open_deploy(server)
    with waiting(server, deploy) as future:
        server.clock.move(MINUTE)
        add_verdict(server, deploy, state="pending")
        server.clock.move(MINUTE)
        add_verdict(server, deploy, state="final", endpoints=(make_endpoint(verdict="unchanged"),))
        assert future.result(15).json()["state"] == "final"


def test_waiting_ends_with_a_review(server: Server) -> None:
    deploy = open_deploy(server)
    add_verdict(server, deploy, state="provisional", minutes=10)
    with waiting(server, deploy) as future:
        server.clock.move(20 * MINUTE)
        assert review(server, deploy, {"decision": "dismiss"}).status_code == 200
        assert future.result(15).json()["review"]["decision"] == "dismiss"


def test_waiting_ends_after_its_time(server: Server) -> None:
    assert ask(server, open_deploy(server), wait=1).json()["state"] == "pending"


def test_nobody_waits_for_what_will_not_come(server: Server) -> None:
    final, failed, never = (
        old_deploy(server, status=s) for s in ("succeeded", "failed", "succeeded")
    )
    add_verdict(server, final)
    for deploy in (final, failed, never):
        # a client that would time out long before
        path = f"/api/v1/deploys/{deploy.id}/impact?wait=60"
        headers = bearer(server.make_key(READ))
        assert server.http.get(path, headers=headers, timeout=10).status_code == 200


def test_many_wait_and_others_are_served(server: Server) -> None:
    deploy = open_deploy(server)
    with ExitStack() as stack:
        futures = [stack.enter_context(waiting(server, deploy)) for _ in range(8)]
        # more than there are connections that read
        assert ask(server, deploy).status_code == 200
        assert not any(future.done() for future in futures)
        server.clock.move(20 * MINUTE)
        add_verdict(server, deploy, state="provisional", minutes=10)
        assert {f.result(15).json()["verdict"] for f in futures} == {"regressed"}


def test_too_many_are_told_to_come_later(server: Server) -> None:
    server.running.context.live.max_listeners = 2
    deploy = open_deploy(server)
    with waiting(server, deploy, 1):
        answer = ask(server, deploy, wait=5)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert ask(server, deploy).status_code == 200


def test_those_who_wait_do_not_hold_the_servers_exit(tmp_path: Path, clock: FakeClock) -> None:
    with ExitStack() as stack:
        running = contextmanager(start_server)(tmp_path / "miniapm.db", clock)
        server = stack.enter_context(running)
        deploy = open_deploy(server)
        with waiting(server, deploy, 60) as future:
            server.loop.call_soon_threadsafe(server.running.stop)
            assert future.result(15).json()["state"] == "pending"


def test_a_review_is_kept_and_answered(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    answer = review(server, deploy, {"decision": "dismiss", "note": " The provider\r\nwas slow "})
    assert answer.status_code == 200
    assert answer.json()["review"] == {
        "decision": "dismiss",
        "note": "The provider\nwas slow",
        "actor": "key test",
        "reviewed_at": to_rfc3339(START),
    }
    [row] = server.rows("select * from impact_reviews")
    assert (row["deploy_id"], row["decision"]) == (deploy.id, "dismiss")
    assert review(server, deploy, {"decision": "confirm"}).json()["review"]["note"] == ""
    assert review(server, deploy, {"decision": None}).json()["review"] is None
    assert server.rows("select * from impact_reviews") == []
    acts = [r["action"] for r in server.rows("select action from audit order by id")]
    assert [a for a in acts if a.startswith("impact.")] == [
        "impact.dismiss", "impact.confirm", "impact.unreview",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        ({}, {"decision"}),
        ({"decision": "maybe"}, {"decision"}),
        ({"decision": ["dismiss"]}, {"decision"}),
        ({"decision": "dismiss", "note": 7}, {"note"}),
        ({"decision": "dismiss", "note": "x" * 2001}, {"note"}),
        ({"decision": 1, "note": "a\x00b", "reason": "x"}, {"decision", "note", "reason"}),
    ],
)
def test_every_bad_field_of_a_review_is_named(server: Server, body: Any, bad: set[str]) -> None:
    deploy = old_deploy(server)
    answer = review(server, deploy, body)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == bad
    assert server.rows("select * from impact_reviews") == []


def test_a_writing_key_reads_the_verdict_and_says_nothing(server: Server) -> None:
    deploy = old_deploy(server)
    headers = bearer(server.make_key(DEPLOYS_WRITE))
    path = f"/api/v1/deploys/{deploy.id}"
    assert server.http.get(f"{path}/impact", headers=headers).status_code == 200
    answer = server.http.post(f"{path}/review", json={"decision": "dismiss"}, headers=headers)
    assert answer.status_code == 403
    assert server.rows("select * from impact_reviews") == []


def test_only_the_endpoints_that_matter_are_told_unless_all_are_asked_for(server: Server) -> None:
    deploy = old_deploy(server)
    names = [f"GET /{number}/{'x' * 180}" for number in range(1_000)]
    add_verdict(
        server,
        deploy,
        endpoints=tuple(make_endpoint(endpoint_id=n, name=name) for n, name in enumerate(names)),
    )
    answer = ask(server, deploy)
    assert len(answer.content) < 2**20
    body = answer.json()
    assert [one["name"] for one in body["endpoints"]] == names[:200]
    assert body["endpoints_left_out"] == 800
    full = ask(server, deploy, endpoints="all").json()
    assert [one["name"] for one in full["endpoints"]] == names
    assert full["endpoints_left_out"] == 0
    bad = ask(server, deploy, endpoints="some")
    assert (bad.status_code, bad.json()["fields"]) == (
        400,
        {"endpoints": "must be all, or be left out"},
    )


def wait_for_listeners(server: Server, wanted: int) -> None:
    deadline = time.monotonic() + 10
    while server.run(count_listeners(server)) != wanted:
        assert time.monotonic() < deadline, f"there never were {wanted}"


def test_who_hangs_up_gives_the_place_back(server: Server) -> None:
    deploy = open_deploy(server)
    address = urlsplit(server.url)
    assert address.hostname
    request = (
        f"GET /api/v1/deploys/{deploy.id}/impact?wait=60 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {server.make_key(READ)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(request.encode())
        wait_for_listeners(server, 1)
    wait_for_listeners(server, 0)


def test_one_project_does_not_take_every_place() -> None:
    live = LiveFeed(cast("Any", None))
    live.max_listeners = 20
    with ExitStack() as stack:
        taken = 0
        while live.has_room(1):
            stack.enter_context(live.listen(1))
            taken += 1
        assert taken == 5
        assert live.has_room(2)
        while live.has_room(2):
            stack.enter_context(live.listen(2))
        # the other half is for pages
        assert 5 < live.count < 10
        assert not live.is_full
