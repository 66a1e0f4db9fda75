"""The overview: its figures, its deploys, what stands there when there is nothing."""

import subprocess
from collections.abc import Callable, Iterable
from os import environ

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.web.snippets import write_telemetry_setup
from tests.conftest import Server
from tests.factories import START
from tests.traffic import Call, insert_calls
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/"
TEN = START - START % (10 * MINUTE)


def send(server: Server, calls: Iterable[Call]) -> None:
    project = server.rows("select id from projects where slug = 'default'")[0]["id"]
    server.run(server.running.context.database.write(insert_calls, list(calls), project))


def show(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def table(page: Element, chart: str) -> list[list[str]]:
    rows = page.select(f"figure#chart-{chart} tbody tr")
    return [[cell.text for cell in row.select("td")] for row in rows]


def test_charts_are_tables_with_the_numbers(server: Server) -> None:
    send(
        server,
        [Call(TEN - HOUR + i * MINUTE, 20_000, failed=i < 2) for i in range(10)]
        + [Call(TEN - HOUR + 10 * MINUTE, 80_000, version="v2")] * 5,
    )
    page = show(server.sign_in(), "?range=24h")
    assert table(page, "requests") == [["07:50", "1"], ["08:00", "0.5"]]
    assert table(page, "errors") == [["07:50", "20"], ["08:00", "0"]]
    heads = [head.text for head in page.select("figure#chart-latency thead th")]
    assert heads == ["Time", "p50", "p95", "p99"]
    [first, second] = table(page, "latency")
    assert [float(value) for value in first[1:]] == [pytest.approx(20, rel=0.025)] * 3
    assert [float(value) for value in second[1:]] == [pytest.approx(80, rel=0.025)] * 3
    assert page.one("figure#chart-requests span.summary").text == "15 in all"
    assert page.one("figure#chart-errors span.summary").text == "2 failed, 13 %"


def test_the_same_instants_are_told_in_the_viewers_zone(server: Server) -> None:
    send(server, [Call(TEN - HOUR)])
    add_deploy(server, deployed_at=TEN - HOUR + MINUTE)
    browser = server.sign_in()
    for zone, clock, deployed, labels in (
        ("UTC", "07:50", "9 October 2025, 07:51:00", "06:00"),
        ("Europe/Berlin", "09:50", "9 October 2025, 09:51:00", "09:00"),
        ("America/New_York", "03:50", "9 October 2025, 03:51:00", "03:00"),
    ):
        browser.cookies.set("tz", zone)
        page = show(browser)
        [time] = page.select("figure#chart-requests tbody time")
        assert (time["datetime"], time.text) == (to_rfc3339(TEN - HOUR), clock)
        marker = page.one(".markers li")
        assert marker["data-at"] == str(TEN - HOUR + MINUTE)
        assert marker.one("time").text == deployed
        assert labels in [tick.text for tick in page.select(".ticks li")]


def test_filters_choose_env_service_and_time(server: Server) -> None:
    send(
        server,
        [
            Call(TEN - HOUR),
            Call(TEN - HOUR, env="staging"),
            Call(TEN - HOUR, service="worker"),
            Call(TEN - 3 * DAY),
        ],
    )
    browser = server.sign_in()
    sums = {
        query: show(browser, query).one("figure#chart-requests span.summary").text
        for query in ("", "?env=staging", "?service=worker", "?service=shop", "?range=7d")
    }
    assert sums == {
        "": "3 in all",
        "?env=staging": "1 in all",
        "?service=worker": "1 in all",
        "?service=shop": "2 in all",
        "?range=7d": "4 in all",
    }
    page = show(browser, "?env=staging&service=nowhere&range=7d")
    menus = {
        menu["name"]: [o.text for o in menu.select("option") if "selected" in o.attributes]
        for menu in page.select("form.filters select")
    }
    assert menus == {"env": ["staging"], "service": ["nowhere"], "range": ["7 days"]}
    # what is asked for is offered, and so is what only deploys know
    offered = [option.text for option in page.select("select[name=service] option")]
    assert offered == ["All", "nowhere", "shop", "worker"]


def test_a_chosen_time_stands_in_the_address_and_survives(server: Server) -> None:
    send(server, [Call(TEN - 2 * DAY + MINUTE)] * 3)
    add_deploy(server)
    begin, end = to_rfc3339(TEN - 2 * DAY), to_rfc3339(TEN - 2 * DAY + HOUR)
    page = show(server.sign_in(), f"?from={begin}&to={end}")
    assert page.one("figure#chart-requests span.summary").text == "3 in all"
    assert table(page, "requests") == [["08:51", "3"]]
    assert page.one("form.filters input[name=from]")["value"] == begin
    assert page.one("form.filters input[name=to]")["value"] == end
    charts = page.one("div.charts")
    assert int(charts["data-since"]) == TEN - 2 * DAY
    assert int(charts["data-until"]) == TEN - 2 * DAY + HOUR
    for link in page.select(".latest a"):
        assert "from=2025-10-07" in link["href"]
    # the past does not change: nothing looks again
    assert "data-poll" not in page.one("div.overview").attributes


@pytest.mark.parametrize(
    ("query", "field"),
    [("?range=2y", "range"), ("?from=yesterday", "from"),
     ("?from=2025-10-09T10:00:00Z&to=2025-10-09T09:00:00Z", "from")],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_by_name(server: Server, query: str, field: str) -> None:
    answer = server.sign_in().get(PAGE + query)
    assert answer.status_code == 400
    assert f"In the address, {field} " in parse_html(answer.text).one("main").text


def test_the_slowest_endpoints_lead_to_their_pages(server: Server) -> None:
    send(
        server,
        [Call(TEN - HOUR, 20_000, "GET /fast")] * 9 + [Call(TEN - HOUR, 90_000, "GET /slow")] * 9,
    )
    page = show(server.sign_in(), "?env=production")
    rows = page.select("table.figures tbody tr")
    assert [row.one("a").text for row in rows] == ["GET /slow", "GET /fast"]
    hint = page.one("section[aria-labelledby=slowest] p.hint").text
    assert hint == "By p95; those with fewer than 5 requests come last."
    assert [row.select("td")[0].text for row in rows] == ["91 ms", "20 ms"]
    numbers = {r["name"]: r["id"] for r in server.rows("select id, name from endpoints")}
    link = rows[0].one("a")["href"]
    assert link == f"/p/default/endpoints/{numbers['GET /slow']}?env=production"


def test_markers_are_links_with_their_words(server: Server) -> None:
    send(server, [Call(TEN - HOUR)])
    deploy = add_deploy(server, version="v2", deployer="ana", deployed_at=TEN - HOUR)
    add_deploy(server, status="timed_out", deployed_at=TEN - HOUR + 1)
    add_deploy(server, hidden_at=START, deployed_at=TEN - HOUR + 2)
    page = show(server.sign_in())
    timed_out, succeeded = page.select(".markers li")
    assert timed_out["class"] == "timed_out"
    assert "timed out" in timed_out.text
    assert succeeded["class"] == "succeeded"
    assert succeeded.one("a")["href"] == f"/p/default/deploys/{deploy.id}"
    assert "v2 succeeded production shop by ana" in succeeded.text


def test_new_errors_lead_to_their_pages(server: Server) -> None:
    send(server, [Call(TEN - HOUR)])
    for fields in (
        {"exception_class": "KeyError", "message": "first line\nsecond line"},
        {"exception_class": "OldError", "timestamp": to_rfc3339(START - 2 * DAY)},
        {"exception_class": "StagingError", "env": "staging"},
    ):
        answer = server.http.post(
            "/ingest/errors",
            json={"message": HOSTILE_TEXTS[0], **fields},
            headers={"authorization": f"Bearer {server.make_key()}"},
        )
        assert answer.status_code == 202
    page = show(server.sign_in(), "?env=production")
    row = page.one(".errors li")
    assert row.one("bdi").text == "first line"
    number = server.rows("select id from error_groups where exception_class = 'KeyError'")[0]["id"]
    assert row.one("a")["href"] == f"/p/default/errors/{number}?env=production"
    classes = [link.text for link in show(server.sign_in()).select(".errors li a")]
    assert classes == ["StagingError", "KeyError"]


def test_no_requests_in_a_time_is_said_and_not_drawn(server: Server) -> None:
    send(server, [Call(START - 3 * DAY)])
    add_deploy(server)
    page = show(server.sign_in())
    assert "No requests in this time" in page.one("p.nothing").text
    assert page.one("p.nothing time")["datetime"].startswith("2025-10-06T08:53")
    assert page.select("figure") == []
    assert len(page.select(".latest li")) == 1


def test_the_empty_state_has_settings_and_a_command_with_the_real_host(server: Server) -> None:
    page = show(server.sign_in())
    setup, command = (each.raw_text for each in page.select("pre.command code"))
    assert setup == write_telemetry_setup(server.url, "default")
    assert f"{server.url}/ingest/requests" in command
    assert page.one("div.overview")["data-poll"] == "5"
    assert page.select("figure") == []


def test_a_project_without_telemetry_still_shows_its_deploys(server: Server) -> None:
    deploy = add_deploy(server, version="v7")
    page = show(server.sign_in())
    assert "No telemetry has arrived yet" in page.one("#no-telemetry").text
    assert page.one(".latest a")["href"] == f"/p/default/deploys/{deploy.id}"


def test_the_command_of_the_empty_state_is_understood_by_a_shell(
    server: Server, program: Callable[[str], str]
) -> None:
    program("curl")
    page = show(server.sign_in())
    command = page.select("pre.command code")[1].raw_text
    done = subprocess.run(
        ["bash", "-c", command],
        env={**environ, "MINIAPM_API_KEY": server.make_key()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith(" HTTP 202\n")
    assert server.rows("select status_code, duration_us from entries") == [
        {"status_code": 200, "duration_us": 12_000}
    ]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_a_sender_writes_becomes_markup(server: Server, text: str) -> None:
    send(server, [Call(TEN - HOUR, endpoint=text, service=text[:100], env=text[:100])] * 5)
    add_deploy(
        server, deployed_at=TEN - HOUR, version=text, deployer=text,
        service=text[:100], env=text[:100],
    )  # fmt: skip
    page = show(server.sign_in())
    assert page.one("table.figures tbody a").raw_text == text
    assert page.one(".markers li a").raw_text == text
    assert page.one(".latest li a").raw_text == text
    assert page.select("main script") == page.select("main img") == page.select("style") == []
    for element in page.walk():
        assert not [name for name in element.attributes if name.startswith("on")]
        assert not element.attributes.get("href", "").lower().startswith("javascript:")


def test_another_projects_telemetry_stays_there(server: Server) -> None:
    project = 999
    server.run(server.running.context.database.write(insert_calls, [Call(TEN - HOUR)], project))
    assert show(server.sign_in()).one("#no-telemetry").text == "No telemetry has arrived yet"


def test_a_full_page_is_small(server: Server) -> None:
    send(
        server,
        [Call(TEN - i * 10 * MINUTE, 10_000 + i, f"GET /{i % 40}") for i in range(144)],
    )
    for number in range(40):
        add_deploy(server, deployed_at=TEN - number * 20 * MINUTE)
    answer = server.sign_in().get(PAGE)
    assert len(answer.content) < 80_000


def test_without_javascript_it_says_where_the_numbers_are(server: Server) -> None:
    send(server, [Call(TEN - HOUR)])
    words = show(server.sign_in()).one("div.charts noscript").text
    assert words == "Charts need JavaScript; the table under each has the same numbers."
