"""What pages of telemetry show where their address names no time: the same range on all of them."""

import httpx2

from miniapm.clock import HOUR, MINUTE, to_rfc3339
from tests.conftest import Server
from tests.factories import START
from tests.web.entry_rows import add_entries, make_entry
from tests.web.markup import parse_html


def add_error(server: Server) -> str:
    """The id of its group."""
    answer = server.http.post(
        "/ingest/errors",
        json={
            "exception_class": "Oops",
            "message": "it broke",
            "timestamp": to_rfc3339(START - 5 * MINUTE),
        },
        headers={"authorization": f"Bearer {server.make_key()}"},
    )
    assert answer.status_code == 202
    group_id: str = answer.json()["id"]
    return group_id


def test_the_shortest_range_that_holds_all_is_shown_as_chosen(server: Server) -> None:
    add_entries(server, [make_entry(started_at=START - 10 * MINUTE)])
    pages = ("", "endpoints", "endpoints/1", "traces", "errors", f"errors/{add_error(server)}")
    browser = server.sign_in("viewer")

    def chosen(query: str = "") -> list[str]:
        return [find_chosen(browser, f"/p/default/{page}{query}") for page in pages]

    assert chosen() == ["1h"] * 6
    assert chosen("?env=production") == ["1h"] * 6
    assert chosen("?range=24h") == ["24h"] * 6
    assert chosen(f"?from={to_rfc3339(START - HOUR)}") == [""] * 6
    add_entries(server, [make_entry(started_at=START - 7 * HOUR)])
    assert chosen() == ["24h"] * 6


def find_chosen(browser: httpx2.Client, address: str) -> str:
    """The range that the menu of a page has, "" for instants."""
    answer = browser.get(address)
    assert answer.status_code == 200, address
    [menu] = parse_html(answer.text).select("form.filters select[name=range]")
    [option] = menu.select("option[selected]") or menu.select("option")[:1]
    return option["value"]


def test_a_graph_of_ten_minutes_is_no_spike_at_the_end_of_a_day(server: Server) -> None:
    add_entries(server, [make_entry(started_at=START - ago * MINUTE) for ago in range(10)])
    browser = server.sign_in("viewer")
    page = parse_html(browser.get("/p/default/").text)
    charts = page.one(".charts")
    assert int(charts["data-until"]) - int(charts["data-since"]) == HOUR
    assert len(page.select("#chart-requests tbody tr")) >= 8
    # it stands in the menu alone: links name it no more than the address does
    assert [link["href"] for link in page.select("nav a") if "range=" in link["href"]] == []
