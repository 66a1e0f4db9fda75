"""The page of one endpoint: charts with deploys, histogram, versions, where time goes, examples."""

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.entry_rows import add_entries, make_entry
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/endpoints/1"
TEN = START - START % (10 * MINUTE)
TRACE = bytes(range(16))


def show(browser: httpx2.Client, query: str = "", page: str = PAGE) -> Element:
    answer = browser.get(page + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def rows(page: Element, place: str) -> list[list[str]]:
    return [
        [cell.text for cell in row.walk() if cell.tag in ("th", "td")]
        for row in page.select(f"{place} tbody tr")
    ]


def test_the_charts_have_its_figures_alone(server: Server) -> None:
    add_entries(
        server,
        [make_entry(started_at=TEN - HOUR, failed=i < 2, database_us=4_000) for i in range(10)]
        + [make_entry(started_at=TEN - HOUR, endpoint="GET /b")] * 5,
    )
    page = show(server.sign_in(), "?range=24h")
    assert page.one("h1").text == "GET /"
    assert rows(page, "figure#chart-requests")[0][1:] == ["1"]
    assert rows(page, "figure#chart-errors")[0][1:] == ["20"]
    [latency] = rows(page, "figure#chart-latency")
    assert [float(v) for v in latency[1:]] == [pytest.approx(10, rel=0.025)] * 3
    assert rows(page, "figure#chart-time")[0][1:] == ["6", "4", "0"]
    assert page.one("figure#chart-requests span.summary").text == "10 in all"


def test_all_charts_end_with_the_same_step(server: Server) -> None:
    server.clock.instant = TEN + MINUTE
    add_entries(server, [make_entry(started_at=TEN - MINUTE), make_entry(started_at=TEN)])
    browser = server.sign_in()

    def lasts() -> list[str]:
        charts = show(browser, "?range=24h").select("figure.chart")
        return [chart.select("tbody time")[-1]["datetime"] for chart in charts]

    assert lasts() == [to_rfc3339(TEN - 10 * MINUTE)] * 4
    server.clock.move(4 * MINUTE)
    assert lasts() == [to_rfc3339(TEN)] * 4


def test_only_deploys_of_its_service_and_env_are_marked(server: Server) -> None:
    add_entries(server, [make_entry(started_at=START - HOUR)])
    own = add_deploy(server, deployed_at=START - HOUR)
    staging = add_deploy(server, deployed_at=START - HOUR, env="staging")
    add_deploy(server, deployed_at=START - HOUR, service="another")
    browser = server.sign_in()

    def marked(query: str) -> set[str]:
        links = show(browser, query).select(".markers li a")
        return {link["href"].split("/")[4].partition("?")[0] for link in links}

    assert marked("") == {str(own.id), str(staging.id)}
    assert marked("?env=production") == {str(own.id)}


def test_the_histogram_counts_every_call(server: Server) -> None:
    add_entries(
        server,
        [make_entry(duration_us=10_000)] * 90 + [make_entry(duration_us=1_000_000)] * 10,
    )
    page = show(server.sign_in())
    bars = page.select("svg.spread rect")
    assert [bar.one("title").text.split(": ")[1] for bar in bars] == ["90", "10"]
    assert page.one("svg.spread")["aria-label"].startswith("p50 10.0 ms, p95 ")
    assert [row[2:] for row in rows(page, "section[aria-labelledby=spread]")] == [
        ["90", "90 %"],
        ["10", "10 %"],
    ]


def test_versions_stand_side_by_side(server: Server) -> None:
    add_entries(
        server,
        [make_entry(started_at=START - 3 * HOUR, duration_us=10_000)] * 4
        + [
            make_entry(
                started_at=START - HOUR, duration_us=40_000, failed=i == 0, version="v2",
                revision="abcdef0123",
            )
            for i in range(5)
        ]
        + [make_entry(started_at=START - HOUR, version="", revision="fedcba9876")],
    )  # fmt: skip
    found = rows(show(server.sign_in()), "table.versions")
    assert [row[:4] for row in found] == [
        ["fedcba9", "production", "1", "0 %"],
        ["v2 abcdef0", "production", "5", "20 %"],
        ["v1", "production", "4", "0 %"],
    ]
    [_, second, third] = found
    assert float(second[5].split()[0]) == pytest.approx(40, rel=0.04)
    assert float(third[5].split()[0]) == pytest.approx(10, rel=0.04)
    assert third[6] == "9 October 2025, 05:53:20"


def test_of_very_many_versions_the_newest_are_shown(server: Server) -> None:
    add_entries(
        server, [make_entry(started_at=START - HOUR + n, version=f"v{n}") for n in range(23)]
    )
    page = show(server.sign_in())
    found = rows(page, "table.versions")
    assert [row[0] for row in found] == [f"v{n}" for n in range(22, 2, -1)]
    assert "3 older versions" in page.one("section[aria-labelledby=versions]").text


def test_where_its_time_goes(server: Server) -> None:
    add_entries(server, [make_entry(duration_us=10_000, database_us=5_000, http_us=2_000)] * 3)
    page = show(server.sign_in())
    assert rows(page, "table.parts") == [
        ["Own code", "3.0 ms", "30 %"],
        ["Databases", "5.0 ms", "50 %"],
        ["HTTP calls", "2.0 ms", "20 %"],
    ]
    bars = [(bar["class"], bar["x"], bar["width"]) for bar in page.select("svg.parts rect")]
    assert bars == [
        ("own", "0.0%", "30.0%"),
        ("database", "30.0%", "50.0%"),
        ("http", "80.0%", "20.0%"),
    ]


def test_calls_beside_each_other_leave_nothing_of_its_own(server: Server) -> None:
    add_entries(server, [make_entry(duration_us=10_000, database_us=15_000, http_us=5_000)])
    assert [row[2] for row in rows(show(server.sign_in()), "table.parts")] == [
        "0 %",
        "75 %",
        "25 %",
    ]


def test_slow_and_failed_calls_lead_to_their_traces(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(started_at=START - 3, duration_us=900_000, trace_id=TRACE, status_code=200),
            make_entry(started_at=START - 2, failed=True, status_code=503, trace_id=TRACE[::-1]),
            make_entry(started_at=START - 1, duration_us=500),
        ],
    )
    page = show(server.sign_in(), "?range=6h")
    slow = page.one("section[aria-labelledby=slow]")
    first, second, third = slow.select("tbody tr")
    assert first.one("a")["href"] == f"/p/default/traces/{TRACE.hex()}?range=6h"
    assert [cell.text for cell in first.select("td")] == ["900 ms", "200", "v1"]
    assert second["class"] == "failed"
    assert third.select("a") == []
    [failed] = page.select("section[aria-labelledby=failed] tbody tr")
    assert failed.one("a")["href"].startswith(f"/p/default/traces/{TRACE[::-1].hex()}")
    more = [link["href"] for link in page.select("section p a") if "endpoint=" in link["href"]]
    assert more == [
        "/p/default/traces?range=6h&endpoint=1&sort=slow",
        "/p/default/traces?range=6h&endpoint=1&status=failed",
    ]


def test_where_several_environments_call_it_each_call_says_which(server: Server) -> None:
    calls = [make_entry(started_at=START - 2, env="staging", failed=True)]
    add_entries(server, [*calls, make_entry(started_at=START - 1, failed=True)])
    browser = server.sign_in()
    for place in ("slow", "failed"):
        found = rows(show(browser), f"section[aria-labelledby={place}]")
        assert sorted(row[4] for row in found) == ["production", "staging"]
        # those of one environment need not say so
        chosen = rows(show(browser, "?env=staging"), f"section[aria-labelledby={place}]")
        assert [len(row) for row in chosen] == [4]


def test_filters_narrow_and_survive(server: Server) -> None:
    add_entries(
        server,
        [make_entry(started_at=START - HOUR)] * 2
        + [make_entry(started_at=START - HOUR, env="staging")]
        + [make_entry(started_at=START - 2 * DAY)] * 4,
    )
    browser = server.sign_in()

    def count(query: str) -> str:
        return show(browser, query).one("figure#chart-requests span.summary").text

    assert count("") == "3 in all"
    assert count("?env=staging") == "1 in all"
    assert count("?range=7d") == "7 in all"
    page = show(browser, "?env=staging&service=shop&range=7d")
    assert page.one("p.crumb a")["href"] == (
        "/p/default/endpoints?env=staging&service=shop&range=7d"
    )
    assert page.one("form.filters input[name=service]")["value"] == "shop"
    assert page.select("select[name=service]") == []
    assert [o.text for o in page.select("select[name=env] option")] == [
        "All", "production", "staging",
    ]  # fmt: skip


def test_where_it_was_not_called_it_says_so(server: Server) -> None:
    add_entries(server, [make_entry(started_at=START - HOUR)])
    browser = server.sign_in()
    page = show(browser, "?env=nowhere&range=1h")
    assert "It was not called in this time in nowhere." in page.one(".nothing").text
    assert [link["href"] for link in page.select(".nothing a")] == [
        f"{PAGE}?env=nowhere&range=90d",
        f"{PAGE}?range=1h",
    ]
    assert page.select("figure") == []


def test_instants_are_told_in_the_viewers_zone(server: Server) -> None:
    add_entries(server, [make_entry(started_at=TEN - HOUR)])
    browser = server.sign_in()
    for zone, clock in (("Europe/Berlin", "09:50"), ("America/New_York", "03:50")):
        browser.cookies.set("tz", zone)
        page = show(browser)
        [time] = page.select("figure#chart-requests tbody time")
        assert (time["datetime"], time.text) == (to_rfc3339(TEN - HOUR), clock)
        assert page.one("table.versions tbody time").text == f"9 October 2025, {clock}:00"
        slow = page.one("section[aria-labelledby=slow] tbody time")
        assert slow.text == f"9 Oct, {clock}:00"
        assert [t.text for t in page.select("p.facts time")] == [f"9 Oct, {clock}"] * 2


def test_nothing_a_sender_wrote_runs(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint=text, service="shop", env=text[:90], version=text, revision=text)
            for text in HOSTILE_TEXTS
        ],
    )
    browser = server.sign_in()
    for number, text in enumerate(HOSTILE_TEXTS, 1):
        page = show(browser, page=f"/p/default/endpoints/{number}")
        assert page.one("h1").text == " ".join(text.split())
        assert all(script["src"].startswith("/static/") for script in page.select("script"))
        assert page.select("main img") == []
        assert page.select("style") == []
        assert all("style" not in element.attributes for element in page.walk())


def test_an_endpoint_of_another_project_is_not_found(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_entries(server, [make_entry(endpoint="GET /theirs")], project="other")
    browser = server.sign_in()
    assert browser.get("/p/other/endpoints/1").status_code == 200
    assert browser.get(PAGE).status_code == 404
    add_entries(server, [make_entry(endpoint="GET /mine")])
    assert show(browser).one("h1").text == "GET /mine"
    viewer = server.sign_in("viewer")
    assert viewer.get("/p/other/endpoints/1").status_code == 404


@pytest.mark.parametrize("id_", ["0", "2", "x", "-1", "99999999999999999999"])
def test_what_is_no_endpoint_is_not_found(server: Server, id_: str) -> None:
    add_entries(server, [make_entry()])
    assert server.sign_in().get(f"/p/default/endpoints/{id_}").status_code == 404
