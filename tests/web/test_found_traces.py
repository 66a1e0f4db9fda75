"""Finding traces: by their whole id among others with the same bytes in it, or by a part of it."""

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE
from tests.conftest import Server
from tests.otlp import CLIENT, Group, Span, to_json
from tests.web.markup import Element, parse_html
from tests.web.telemetry_sent import post_traces
from tests.web.trace_bodies import ROOT, TRACE, make_shop, make_span, send

LIST = "/p/default/traces"


def show(browser: httpx2.Client, address: str) -> Element:
    answer = browser.get(LIST + address)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def names(page: Element) -> list[str]:
    return [link.text for link in page.select("table.waterfall tbody th a")]


def request_of(trace_id: str) -> Span:
    return make_span(span_id=ROOT, trace_id=bytes.fromhex(trace_id))


def send_one_by_one(server: Server, trace_ids: Sequence[str]) -> None:
    """A batch of its own for each."""
    key = server.make_key("traces:write")
    for trace_id in trace_ids:
        post_traces(server, key, [Group([request_of(trace_id)])])


def entries_of(server: Server, trace_id: str) -> list[int]:
    rows = server.rows(f"select id from entries where trace_id = x'{trace_id}' order by id")
    return [row["id"] for row in rows]


def post_json(server: Server, body: Any) -> None:
    key = server.make_key("traces:write")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = server.http.post("/v1/traces", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text


PADDED = ["0" * 16 + f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" for n in range(1, 231)]
SAME_TAIL = [f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" + "0" * 7 + "1" * 9 for n in range(1, 301)]


@pytest.mark.parametrize("ids", [PADDED, SAME_TAIL])
def test_many_batches_with_alike_ids_hide_no_trace(server: Server, ids: Sequence[str]) -> None:
    send_one_by_one(server, ids)
    browser = server.sign_in()
    for trace_id in (ids[0], ids[len(ids) // 2], ids[-1]):
        [entry_id] = entries_of(server, trace_id)
        for query in ("", f"?at={entry_id}"):
            page = show(browser, f"/{trace_id}{query}")
            assert names(page) == ["GET /"]
            assert not page.select("div.notice")
        assert browser.get(f"/api/v1/traces/{trace_id}").json()["is_complete"]
    assert browser.get(f"{LIST}/{'5' * 16}{ids[0][16:]}").status_code == 404


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is met after three batches."""
    monkeypatch.setattr("miniapm.web.batch_search.MOST_BATCHES", 3)
    monkeypatch.setattr("miniapm.web.batch_search._PAGE_BATCHES", 1)


@pytest.mark.usefixtures("few")
def test_a_trace_is_not_said_to_be_gone_when_the_bound_was_met(server: Server) -> None:
    send_one_by_one(server, SAME_TAIL[:8])
    browser = server.sign_in()
    first = SAME_TAIL[0]
    [entry_id] = entries_of(server, first)
    # the batch of the entry comes first
    page = show(browser, f"/{first}?at={entry_id}")
    assert names(page) == ["GET /"]
    assert "3 were looked through and 5 were not" in page.one("div.notice").text
    # without a hint, what came last comes first
    for address in (f"{LIST}/{first}", f"/api/v1/traces/{first}"):
        answer = browser.get(address)
        assert answer.status_code == 503
        assert "5 more may hold it" in answer.text
    answer = browser.get(f"/api/v1/traces/{SAME_TAIL[7]}").json()
    assert (answer["span_count"], answer["is_complete"]) == (1, False)


@pytest.mark.usefixtures("few")
def test_an_entry_whose_spans_were_not_found_says_how_far_was_looked(server: Server) -> None:
    send_one_by_one(server, SAME_TAIL[:8])
    first = SAME_TAIL[0]
    [entry_id] = entries_of(server, first)

    def forget(connection: Any) -> None:
        for table, key in (("span_batches", "id"), ("span_batch_traces", "batch_id")):
            connection.execute(f"delete from {table} where {key} = {entry_id}")

    server.run(server.running.context.database.write(forget))
    browser = server.sign_in()
    notice = show(browser, f"/{first}?at={entry_id}").one("div.notice").text
    assert "not in the 3 batches" in notice
    assert "4 more may hold them" in notice
    assert "gone" not in notice


def test_what_is_read_of_a_trace_is_bounded_by_what_holds_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miniapm.web.stored_traces.MOST_HELD_BYTES", 1)
    send_one_by_one(server, SAME_TAIL[:8])
    for number in range(3):
        part = make_span(span_id=bytes([number + 1] * 8), at=number)
        send(server, Group([part]))
    browser = server.sign_in()
    assert names(show(browser, f"/{SAME_TAIL[0]}")) == ["GET /"]
    page = show(browser, f"/{TRACE}")
    assert len(names(page)) == 1
    assert "too large to be read whole" in page.one("div.notice").text


@pytest.mark.parametrize(
    "part",
    [
        {"events": [None]}, {"events": 0}, {"events": [{"name": 5}]}, {"links": 0},
        {"links": [None]}, {"status": {"message": 5}},
    ],
)  # fmt: skip
def test_odd_parts_of_a_span_cost_nothing_but_themselves(
    server: Server, part: dict[str, Any]
) -> None:
    body = to_json([make_shop()])
    for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span |= part
    post_json(server, body)
    browser = server.sign_in()
    assert browser.get(f"/api/v1/traces/{TRACE}").json()["span_count"] == 16
    page = show(browser, f"/{TRACE}?span={ROOT.hex()}")
    assert names(page) == ["GET /", "SELECT items", "POST"]
    assert "/checkout" in page.one("aside").text


@pytest.mark.parametrize("hinted", [True, False])
def test_a_trace_whose_spans_cannot_be_read_has_a_page(server: Server, hinted: bool) -> None:
    send(server, make_shop())
    [entry_id] = entries_of(server, TRACE)

    def spoil(connection: Any) -> None:
        connection.execute("update span_batches set format = 'json'")

    server.run(server.running.context.database.write(spoil))
    browser = server.sign_in()
    page = show(browser, f"/{TRACE}" + (f"?at={entry_id}" if hinted else ""))
    assert page.one("h1").text == "POST /checkout"
    assert "cannot be read" in page.one("div.notice").text
    answer = browser.get(f"/api/v1/traces/{TRACE}").json()
    assert (answer["span_count"], answer["is_complete"]) == (0, False)
    assert [item["endpoint"] for item in answer["requests"]] == ["POST /checkout"]


def look_up(browser: httpx2.Client, part: str, more: str = "") -> list[str]:
    page = show(browser, f"?trace={part}{more}")
    links = page.select("table.requests th a") + page.select("section.found li a")
    return [link["href"].removeprefix(f"{LIST}/") for link in links]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_part_of_an_id_finds_its_traces(server: Server, as_json: bool) -> None:
    ids = [TRACE[:9] + f"{n}" * 23 for n in range(1, 3)]
    for trace_id in ids:
        send(server, Group([request_of(trace_id)]), as_json=as_json)
        server.clock.move(MINUTE)
    links = [f"{trace_id}?at={entries_of(server, trace_id)[0]}" for trace_id in ids]
    browser = server.sign_in()
    for length in (8, 9):
        assert look_up(browser, TRACE[:length]) == links[::-1]
    assert look_up(browser, ids[1][:31]) == [links[1]]
    assert names(show(browser, f"/{links[1]}")) == ["GET /"]
    for length in (8, 9, 22):
        assert look_up(browser, ids[0][-length:].upper()) == [links[0]]
    # the filters stay, and what came before the time that is shown is not looked at
    server.clock.move(2 * HOUR)
    assert look_up(browser, TRACE[:9], "&range=1h") == []
    assert look_up(browser, TRACE[:9], "&range=6h") == [f"{link}&range=6h" for link in links[::-1]]


def test_a_trace_with_many_requests_is_found_once(server: Server) -> None:
    send_one_by_one(server, [TRACE, TRACE, "0" * 31 + "1"])
    latest = entries_of(server, TRACE)[-1]
    assert look_up(server.sign_in(), TRACE[:12]) == [f"{TRACE}?at={latest}"]


def test_traces_without_requests_are_found_by_their_end(server: Server) -> None:
    call = make_span(span_id=ROOT, parent_id=b"\x09" * 8, kind=CLIENT)
    send(server, Group([call]), Group([request_of(SAME_TAIL[0])]))
    assert look_up(server.sign_in(), TRACE[-10:]) == [TRACE]


def test_nothing_found_says_what_was_looked_through(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_one_by_one(server, [TRACE, *SAME_TAIL[:5]])
    browser = server.sign_in()
    text = show(browser, "?trace=ffffffff").one("section.found").text
    assert text.startswith("No trace begins or ends with ffffffff")
    assert "all spans that are kept, which are those of 7d" in text
    monkeypatch.setattr("miniapm.web.batch_search.MOST_BATCHES", 3)
    monkeypatch.setattr("miniapm.web.batch_search._PAGE_BATCHES", 1)
    text = show(browser, f"?trace=2{SAME_TAIL[0][-8:]}").one("section.found").text
    assert "2 older batches that may hold one were not looked through" in text
    monkeypatch.setattr("miniapm.storage.spans.beginnings.MOST_ENTRIES", 2)
    assert look_up(browser, TRACE[:8]) == []
    assert len(look_up(browser, SAME_TAIL[4][:8])) == 1


def test_a_search_by_id_shows_nothing_else(server: Server) -> None:
    send_one_by_one(server, [TRACE, SAME_TAIL[0], SAME_TAIL[1]])
    browser = server.sign_in()
    page = show(browser, f"?trace={TRACE[:8]}&status=failed")
    assert page.one("section.found h2").text == f"1 trace that begins or ends with {TRACE[:8]}"
    [row] = page.select("table.requests tbody tr")
    assert row.one("th a").text == "GET /"
    assert row.one("th code").text == TRACE
    assert len(row.select("time")) == 1
    [back] = [link for link in page.select("p.hint a") if link.text == "Show all requests"]
    assert back["href"] == f"{LIST}?range=24h&status=failed"
    page = show(browser, f"?trace={SAME_TAIL[0][-8:]}")
    assert page.one("section.found h2").text.startswith("2 traces that begin or end with ")
    assert len(page.select("table.requests tbody tr")) == 2
    page = show(browser, "?trace=ffffffff")
    assert page.select("table.requests") == []
    assert page.select("div.nothing") == []
