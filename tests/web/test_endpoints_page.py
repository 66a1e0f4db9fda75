"""The table of endpoints: its figures, links to sort by, filters, pages, and what stands there when
there is nothing."""

from collections.abc import Iterable

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.storage.projects import get_project
from miniapm.web.charts import NO_VALUE
from miniapm.web.endpoint_queries import PAGE_SIZE
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.traffic import Call, insert_calls
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/endpoints"


def send(server: Server, calls: Iterable[Call], project: str = "default") -> None:
    database = server.running.context.database
    found = server.run(database.read(get_project, project))
    server.run(database.write(insert_calls, list(calls), found.id))


def show(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def names(page: Element) -> list[str]:
    return [link.text for link in page.select("table.endpoints tbody th a")]


def cells(page: Element) -> list[list[str]]:
    return [
        [cell.text for cell in row.select("td")] for row in page.select("table.endpoints tbody tr")
    ]


def in_ms(words: str) -> float:
    number, unit = words.split()
    return float(number) * {"ms": 1, "s": 1000}[unit]


def three(server: Server) -> None:
    """a is called most, b fails, c takes longest."""
    at = START - HOUR
    send(
        server,
        [Call(at, 10_000, "a")] * 6
        + [Call(at, 20_000, "b", failed=True)]
        + [Call(at, 20_000, "b")] * 3
        + [Call(at, 1_800_000, "c")] * 2,
    )


def test_a_row_has_the_figures(server: Server) -> None:
    three(server)
    page = show(server.sign_in())
    assert names(page) == ["c", "b", "a"]
    figures = cells(page)
    assert [[row[0], row[1], row[5], row[6]] for row in figures] == [
        ["2", "96 %", "0 %", NO_VALUE],
        ["4", "2.1 %", "25 %", NO_VALUE],
        ["6", "1.6 %", "0 %", NO_VALUE],
    ]
    for told, ms in zip(figures, (1800, 20, 10), strict=True):
        assert [in_ms(cell) for cell in told[2:5]] == [pytest.approx(ms, rel=0.06)] * 3
    row = page.one("tr#e3")
    assert row.one("th a")["href"] == f"{PAGE}/3"
    assert row.one("svg.sparkline path")["d"].startswith("M0 ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "cba"),
        ("?sort=time&order=asc", "abc"),
        ("?sort=name", "abc"),
        ("?sort=name&order=desc", "cba"),
        ("?sort=calls", "abc"),
        ("?sort=errors", "bac"),
        ("?sort=p50", "cba"),
        ("?sort=p95", "cba"),
        ("?sort=p99&order=asc", "abc"),
        ("?sort=change", "abc"),
    ],
)
def test_it_is_sorted_by_what_the_address_says(server: Server, query: str, expected: str) -> None:
    three(server)
    assert "".join(names(show(server.sign_in(), query))) == expected


def test_every_heading_sorts_and_turns_around(server: Server) -> None:
    three(server)
    browser = server.sign_in()
    page = show(browser, "?env=production&range=6h&q=")
    assert page.one("th[aria-sort]")["aria-sort"] == "descending"
    headings = page.select("table.endpoints thead th")
    assert [heading.text for heading in headings][:3] == ["Endpoint", "Calls", "Time"]
    for position, heading in enumerate(headings):
        link = heading.one("a")["href"]
        assert link.startswith(f"{PAGE}?env=production&range=6h")
        sorted_page = show(browser, link.removeprefix(PAGE))
        first = sorted_page.select("table.endpoints thead th")[position]
        turned = show(browser, first.one("a")["href"].removeprefix(PAGE))
        second = turned.select("table.endpoints thead th")[position]
        assert {first["aria-sort"], second["aria-sort"]} == {"ascending", "descending"}
        assert len(sorted_page.select("th[aria-sort]")) == 1


@pytest.mark.parametrize(
    "query",
    ["?sort=size", "?order=up", "?page=0", "?page=-1", "?page=x", "?page=99999", "?range=2h"],
)
def test_what_cannot_be_is_named(server: Server, query: str) -> None:
    answer = server.sign_in().get(PAGE + query)
    assert answer.status_code == 400
    assert query[1:].partition("=")[0] in answer.text


def test_the_change_since_the_deploy_with_the_calls_behind_it(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR, version="v2")
    send(
        server,
        [Call(START - 90 * MINUTE, 100_000)] * 55
        + [Call(START - 30 * MINUTE, 200_000)] * 60
        + [Call(START - 90 * MINUTE, 10_000, "rare")] * 55
        + [Call(START - 30 * MINUTE, 90_000, "rare")] * 49,
    )
    page = show(server.sign_in())
    [steady, rare] = cells(page)
    assert steady[-1] in ("+100 %55 / 60", "+96 %55 / 60", "+104 %55 / 60")
    assert rare[-1] == f"{NO_VALUE}55 / 49"
    [_, hint] = [cell for cell in page.select("tr#e1 td") if "title" in cell.attributes]
    assert "before" in hint["title"]
    note = page.one("section.notes li")
    assert note.one("a")["href"] == f"/p/default/deploys/{deploy.id}"
    assert note.text == "shop: v2 in production, 9 October 2025, 07:53:20"
    for word in ("regress", "improv", "worse", "better"):
        assert word not in page.one("main").text


def test_a_change_of_little_is_not_made_much_of(server: Server) -> None:
    add_deploy(server, deployed_at=START - HOUR, version="v2")
    calls = (("slight", 7_000, 4_000), ("much", 7_000, 13_000))
    for name, before, since in calls:
        send(server, [Call(START - 90 * MINUTE, before, name)] * 55)
        send(server, [Call(START - 30 * MINUTE, since, name)] * 55)
    page = show(server.sign_in())
    slight = {
        row.one("a").text: row.select("td")[-1].attributes.get("class")
        for row in page.select("table.endpoints tbody tr")
    }
    assert slight == {"slight": "slight", "much": None}
    assert "less than 5 ms are grey" in page.one("section.notes").text
    assert "calls in the step in which the deploy itself fell are on neither side" in (
        page.one("section.notes").text
    )


def test_filters_narrow_and_survive(server: Server) -> None:
    send(
        server,
        [
            Call(START - HOUR, endpoint="GET /a"),
            Call(START - HOUR, endpoint="GET /b", env="staging"),
            Call(START - HOUR, endpoint="GET /c", service="worker"),
            Call(START - 2 * DAY, endpoint="GET /d"),
        ],
    )
    browser = server.sign_in()
    assert sorted(names(show(browser))) == ["GET /a", "GET /b", "GET /c"]
    assert names(show(browser, "?env=staging")) == ["GET /b"]
    assert names(show(browser, "?service=worker")) == ["GET /c"]
    assert names(show(browser, "?q=%2FB")) == ["GET /b"]
    assert len(names(show(browser, "?range=7d"))) == 4
    page = show(browser, "?env=staging&range=7d&sort=name")
    assert page.one("table.endpoints tbody a")["href"] == f"{PAGE}/2?env=staging&range=7d"
    assert page.one("form.filters input[name=sort]")["value"] == "name"
    assert page.one("select[name=range] option[selected]")["value"] == "7d"
    for link in page.select("nav[aria-label=Pages] a"):
        assert "env=staging&range=7d" in link["href"]


def test_the_service_stands_in_a_row_where_there_are_several(server: Server) -> None:
    send(server, [Call(START - HOUR)])
    browser = server.sign_in()
    assert show(browser).select("tbody th span") == []
    send(server, [Call(START - HOUR, endpoint="GET /w", service="worker")])
    assert sorted(s.text for s in show(browser).select("tbody th span")) == ["shop", "worker"]


def test_a_long_table_has_pages(server: Server) -> None:
    send(
        server,
        [Call(START - HOUR, 1000 * n, f"GET /{n:03}") for n in range(1, PAGE_SIZE + 31)],
    )
    browser = server.sign_in()
    page = show(browser, "?sort=name&range=6h")
    assert len(names(page)) == PAGE_SIZE
    assert page.one("span.count").text == f"1 to {PAGE_SIZE} of {PAGE_SIZE + 30}"
    link = page.one("nav.pages a[rel=next]")["href"]
    assert link == f"{PAGE}?range=6h&sort=name&page=2"
    second = show(browser, link.removeprefix(PAGE))
    assert len(names(second)) == 30
    assert second.select("a[rel=next]") == []
    back = second.one("nav.pages a[rel=prev]")["href"]
    assert names(show(browser, back.removeprefix(PAGE))) == names(page)
    assert not set(names(page)) & set(names(second))
    assert "ends before this page" in show(browser, "?page=9").one(".nothing").text


def test_a_thousand_endpoints_are_one_light_page(server: Server) -> None:
    send(server, [Call(START - HOUR, 1000 + n, f"GET /things/{n}/{{id}}") for n in range(1000)])
    answer = server.sign_in().get(PAGE)
    assert answer.status_code == 200
    assert len(answer.content) < 80_000
    assert "of 1,000" in parse_html(answer.text).one("span.count").text


def test_without_telemetry_it_says_how_to_send_some(server: Server) -> None:
    page = show(server.sign_in())
    assert page.select("table.endpoints") == []
    commands = " ".join(command.text for command in page.select("pre.command"))
    assert server.url in commands
    assert page.one("[data-live=endpoints]")["data-poll"] == "5"


def test_where_nothing_matches_it_says_so(server: Server) -> None:
    send(server, [Call(START - HOUR)])
    browser = server.sign_in()
    nothing = show(browser, "?q=nowhere&sort=name").one(".nothing")
    assert "No endpoint that matches" in nothing.text
    links = [link["href"] for link in nothing.select("a")]
    assert links == [f"{PAGE}?q=nowhere&range=90d&sort=name", f"{PAGE}?sort=name"]
    server.clock.move(2 * DAY)
    browser = server.sign_in()
    nothing = show(browser).one(".nothing")
    assert "No endpoint was called in this time." in nothing.text
    assert nothing.one("time")["datetime"].startswith("2025-10-09T07:53")
    assert names(show(browser, "?range=7d")) == ["GET /"]


def test_times_are_told_in_the_viewers_zone(server: Server) -> None:
    add_deploy(server, deployed_at=START - HOUR)
    send(server, [Call(START - HOUR)])
    browser = server.sign_in()
    for zone, clock in (("Europe/Berlin", "09:53:20"), ("America/New_York", "03:53:20")):
        browser.cookies.set("tz", zone)
        time = show(browser).one("section.notes time")
        assert time["datetime"] == "2025-10-09T07:53:20Z"
        assert time.text == f"9 October 2025, {clock}"


def test_nothing_a_sender_wrote_runs(server: Server) -> None:
    send(server, [Call(START - HOUR, endpoint=text, service=text[:90]) for text in HOSTILE_TEXTS])
    page = show(server.sign_in())
    assert sorted(names(page)) == sorted(" ".join(text.split()) for text in HOSTILE_TEXTS)
    assert [script["src"].split(".")[0] for script in page.select("script")] == ["/static/app"]
    assert page.select("main img") == []
    assert page.select("style") == []
    assert all("style" not in element.attributes for element in page.walk())


def test_other_projects_are_not_shown(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    send(server, [Call(START - HOUR, endpoint="GET /theirs")], "other")
    send(server, [Call(START - HOUR, endpoint="GET /mine")])
    browser = server.sign_in("viewer")
    assert names(show(browser)) == ["GET /mine"]
    assert browser.get("/p/other/endpoints").status_code == 404
