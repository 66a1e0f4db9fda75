"""The delivery page: filters, periods, time zones, its lists, what it says where there is nothing;
and overruling from the page of a deploy."""

from pathlib import Path

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, to_rfc3339
from miniapm.domain.deploys.values import Commit
from miniapm.web.charts import NO_VALUE
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/delivery"
SHA = "a1b2c3d4" * 5


def show(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def values(page: Element) -> list[str]:
    return [tile.one(".value").text for tile in page.select("section.tile")]


def rows(page: Element) -> list[str]:
    return [row["id"] for row in page.select("table.behind tbody tr")]


def test_nothing_ever_sent_shows_how_to_send(server: Server) -> None:
    page = show(server.sign_in())
    assert page.select("section.tile") == []
    assert page.one("main h1").text == "Delivery"
    assert page.select("main pre")


def test_without_deploys_to_production_there_is_no_data_and_it_says_what_counts(
    server: Server,
) -> None:
    add_deploy(server, env="staging", deployed_at=START - HOUR)
    browser = server.sign_in()
    page = show(browser)
    assert values(page) == ["no data"] * 5
    assert "production, prod, live" in page.one("p.hint").text
    assert page.select(".trend rect") == []
    [left] = page.select(".apart li")
    assert left.text == "1 outside of production, prod, live"
    assert values(show(browser, "?env=staging"))[0] == "1.0 a day"


def test_each_list_has_its_deploys_with_the_reason(server: Server) -> None:
    first = add_deploy(server, deployed_at=START - 5 * DAY, version="v1")
    second = add_deploy(
        server,
        deployed_at=START - 4 * DAY,
        version="v2",
        commits=(Commit(SHA, START - 4 * DAY - 3 * HOUR, "Charge twice"),),
    )
    back = add_deploy(server, deployed_at=START - 3 * DAY, version="v1", git_sha=first.git_sha)
    again = add_deploy(server, deployed_at=START - 2 * DAY, version="v1", git_sha=first.git_sha)
    browser = server.sign_in()
    page = show(browser)
    assert values(page)[1:] == ["3 h", "33 %", "1 d", "33 %"]
    assert rows(page) == [f"d{second.id}"]
    parts = [part.text for part in page.select("table.behind .part")]
    assert parts == [
        "failed: rolled back by v1",
        "recovered in 1 d by v1",
        "1 commit, median 3 h",
    ]
    assert rows(show(browser, "?list=deploys")) == [f"d{o.id}" for o in (back, second, first)]
    assert rows(show(browser, "?list=rework")) == [f"d{back.id}"]
    assert rows(show(browser, "?list=redeploys")) == [f"d{again.id}"]
    assert rows(show(browser, "?list=open")) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?period=year", "period"),
        ("?list=all", "list"),
        ("?page=0", "page"),
        ("?range=5d", "range"),
        ("?from=soon", "from"),
        ("?from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
    ],
)
def test_what_cannot_be_is_named(server: Server, query: str, name: str) -> None:
    answer = server.sign_in().get(PAGE + query)
    assert answer.status_code == 400
    assert f"In the address, {name} " in parse_html(answer.text).one("main").text


def find_days(page: Element) -> list[str]:
    """The days of the table with one deploy."""
    told = page.select(".by-period tbody tr")
    return [row.one("th a").text for row in told if row.select("td")[0].text == "1 deploy"]


def test_days_are_those_of_the_viewer(server: Server) -> None:
    add_deploy(server, deployed_at=START - START % DAY - HOUR)
    browser = server.sign_in()
    query = "?period=day&range=7d"
    utc = find_days(show(browser, query))
    browser.cookies.set("tz", "Europe/Berlin")
    assert (utc, find_days(show(browser, query))) == (["8 Oct"], ["9 Oct"])


def test_what_is_open_stands_in_every_table(server: Server) -> None:
    for service in ("web", "api"):
        add_deploy(server, service=service, deployed_at=START - HOUR, tags=("sev1",))
    page = show(server.sign_in(), "?period=day&range=7d")
    today, *_, week_ago = page.select(".by-period tbody tr")
    assert [cell.text for cell in today.select("td")] == [
        "2 deploys", NO_VALUE, "100 % (2 of 2 deploys)", "2 open", "0 % (0 of 2 deploys)",
    ]  # fmt: skip
    assert [cell.text for cell in week_ago.select("td")] == ["no data", ""]
    services = page.select('section[aria-labelledby="services"] tbody tr')
    assert [row.select("td")[3].text for row in services] == ["1 open", "1 open"]


def test_filters_stay_in_every_link(server: Server) -> None:
    for service in ("web", "api"):
        add_deploy(server, service=service, deployed_at=START - HOUR)
    page = show(server.sign_in(), "?service=web&range=30d&period=day")
    links = [a["href"] for a in page.select("nav.lists a") + page.select("section.tile .of a")]
    assert links
    assert all("service=web" in link and "range=30d" in link for link in links)
    assert [o["value"] for o in page.select("select[name=range] option[selected]")] == ["30d"]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_what_senders_write_stays_text(server: Server, text: str) -> None:
    add_deploy(
        server, service=text[:100], version=text[:200], tags=("sev1",), deployed_at=START - HOUR
    )
    page = show(server.sign_in())
    assert page.one("table.behind td bdi").raw_text == text[:100]
    assert page.select("table.behind script") == []


def test_the_settings_say_what_counts_and_fails(tmp_path: Path, clock: FakeClock) -> None:
    told = {
        "production_environments": "blue-*",
        "failure_tags": "outage",
        "fix_tags": "hotfix",
    }
    for server in start_server(tmp_path / "miniapm.db", clock, delivery=told):
        add_deploy(server, env="blue-1", deployed_at=START - 5 * HOUR, tags=("outage",))
        add_deploy(server, env="blue-1", deployed_at=START - 4 * HOUR, tags=("sev1",))
        add_deploy(server, env="blue-1", deployed_at=START - 2 * HOUR, tags=("is_fix",))
        add_deploy(server, env="blue-1", deployed_at=START - HOUR, tags=("hotfix",))
        add_deploy(server, env="production", deployed_at=START - HOUR, tags=("outage",))
        counts = [a.text for a in show(server.sign_in()).select("section.tile .of a")]
        assert counts == [
            "4 deploys",
            "0 commits",
            "2 of 4 deploys",
            "2 recovered",
            "1 of 4 deploys",
        ]


def test_a_person_overrules_on_the_page_and_every_number_follows(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR)
    address = f"/p/default/deploys/{deploy.id}"
    browser = server.sign_in("member")

    def press() -> str:
        page = parse_html(browser.get(address).text)
        button = page.one(f'form[action="{address}/overrule"] button')
        done = browser.post(f"{address}/overrule", data={"overruled": button["value"]})
        assert done.status_code == 303
        return button.text

    def stored() -> str | None:
        [row] = server.rows("select overruled from deploys")
        overruled: str | None = row["overruled"]
        return overruled

    assert press() == "It failed"
    assert (stored(), values(show(browser))[2]) == ("failed", "100 %")
    section = parse_html(browser.get(address).text).one("section.delivered")
    assert "It counts as failed: a person said so. Open for 1 h." in section.text
    assert press() == "Take back what was said"
    assert (stored(), values(show(browser))[2]) == (None, "0 %")
    assert len(server.rows("select id from deploy_changes")) == 2


def test_the_failed_deploy_says_why_and_can_be_called_fine(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR, tags=("sev1",))
    address = f"/p/default/deploys/{deploy.id}"
    browser = server.sign_in("member")
    section = parse_html(browser.get(address).text).one("section.delivered")
    assert section.one("p").text == "It counts as failed: tagged sev1. Open for 1 h."
    assert section.one("button")["value"] == "ok"
    browser.post(f"{address}/overrule", data={"overruled": "ok"})
    section = parse_html(browser.get(address).text).one("section.delivered")
    assert section.one("p").text == "It does not count as failed: a person said so."
    assert values(show(browser))[2] == "0 %"


def test_a_viewer_reads_it_and_a_wrong_word_is_refused(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR)
    address = f"/p/default/deploys/{deploy.id}"
    viewer = server.sign_in("viewer")
    assert parse_html(viewer.get(address).text).select("section.delivered button") == []
    assert viewer.post(f"{address}/overrule", data={"overruled": "failed"}).status_code == 403
    assert server.sign_in().post(f"{address}/overrule", data={"overruled": "x"}).status_code == 400
    assert server.rows("select overruled from deploys") == [{"overruled": None}]


def test_what_never_went_live_has_no_place_in_delivery(server: Server) -> None:
    deploy = add_deploy(server, status="failed", deployed_at=START - HOUR)
    browser = server.sign_in()
    page = parse_html(browser.get(f"/p/default/deploys/{deploy.id}").text)
    assert page.select("section.delivered") == []
    [left] = show(browser, f"?from={to_rfc3339(START - DAY)}").select(".apart li")
    assert left.text == "1 failed: never went live"


def test_the_corrections_of_a_deploy_tell_what_a_person_said(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR, tags=("sev1",))
    address = f"/p/default/deploys/{deploy.id}"
    browser = server.sign_in("member")
    for word in ("ok", "", "failed"):
        assert browser.post(f"{address}/overrule", data={"overruled": word}).status_code == 303
    told = parse_html(browser.get(address).text).select("ul.changes li span")
    assert [one.text.partition(": ")[2] for one in told] == [
        "Said that it failed.",
        "Took back what was said about a failure.",
        "Said that it was fine.",
    ]
