"""Deploys that telemetry shows, from `POST /v1/traces` to the pages and the API."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.releases import MOST_OF_LANE
from miniapm.storage.observed.watch import ReleaseWatch
from tests.conftest import FakeClock, Server, start_server
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html
from tests.web.telemetry_sent import BASE, digest, send_traces

PAGE = "/p/default/deploys"
SHA, OTHER_SHA = "a1" * 20, "b2" * 20


@pytest.fixture
def key(server: Server) -> str:
    server.clock.instant = BASE + 4 * HOUR
    return server.make_key("deploys:write", "traces:write", "read")


def announce(server: Server, key: str, **fields: Any) -> str:
    """Posts a deploy; its page."""
    answer = server.http.post(
        "/ingest/deploys",
        json={"service": "shop", **fields},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def list_deploys(server: Server, key: str) -> list[dict[str, Any]]:
    answer = server.http.get("/api/v1/deploys", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def show(browser: httpx2.Client, address: str) -> Element:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def test_an_unannounced_version_is_on_the_timeline_marked_as_such(server: Server, key: str) -> None:
    send_traces(server, key, 5, version="v7", revision=SHA)
    digest(server)
    [deploy] = list_deploys(server, key)
    assert (deploy["git_sha"], deploy["version"], deploy["status"]) == (SHA, "v7", "succeeded")
    assert (deploy["sources"], deploy["kind"]) == (["telemetry"], "first")
    assert deploy["timestamp"] == deploy["first_seen_at"] == to_rfc3339(BASE + 5 * MINUTE)
    announce(server, key, git_sha=OTHER_SHA, timestamp=to_rfc3339(BASE))
    page = show(server.sign_in(), PAGE)
    assert [row["id"] for row in page.select("tr.observed")] == [f"d{deploy['id']}"]
    row = page.one("tr.observed")
    assert row.one("span.unannounced").text == "seen in telemetry, not announced"
    assert row.one("td.st").text == "seen"
    one = show(server.sign_in(), f"{PAGE}/{deploy['id']}")
    assert "Nobody announced it." in one.one("section.seen p.first").text
    names, values = one.select("dl.fields dt"), one.select("dl.fields dd")
    fields = {name.text: value.text for name, value in zip(names, values, strict=True)}
    assert fields["Reported by"] == "telemetry"
    assert fields["First seen"] == one.one("section.seen p.first time").text


@pytest.mark.parametrize("announced_first", [True, False])
def test_announced_and_seen_is_one_deploy_with_both_sources(
    server: Server, key: str, announced_first: bool
) -> None:
    def post() -> str:
        return announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE + 2 * MINUTE))

    if announced_first:
        page = post()
    send_traces(server, key, 5, version="v7", revision=SHA)
    digest(server)
    if not announced_first:
        page = post()
    [deploy] = list_deploys(server, key)
    assert (deploy["git_sha"], deploy["version"]) == (SHA, None)
    assert deploy["sources"] == ["api", "telemetry"]
    assert deploy["timestamp"] == to_rfc3339(BASE + 2 * MINUTE)
    assert deploy["first_seen_at"] == to_rfc3339(BASE + 5 * MINUTE)
    assert page == f"{PAGE}/{deploy['id']}"
    [row] = server.rows("select deploy_id from releases where version = 'v7'")
    assert str(row["deploy_id"]) == deploy["id"]
    section = show(server.sign_in(), page).one("section.seen")
    assert section.one("p.first time")["datetime"] == to_rfc3339(BASE + 5 * MINUTE)
    assert "3 min after the announced time" in section.one("p.first").text
    assert show(server.sign_in(), PAGE).select("tr.observed") == []


def test_seen_before_it_was_announced_is_told(server: Server, key: str) -> None:
    send_traces(server, key, 5, revision=SHA)
    page = announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE + 6 * MINUTE))
    section = show(server.sign_in(), page).one("section.seen")
    assert "1 min before the announced time" in section.one("p.first").text


def test_a_failed_deploy_claims_nothing_of_what_its_retry_brought(server: Server, key: str) -> None:
    fields = {"git_sha": SHA, "version": "v7"}
    failed = announce(server, key, **fields, status="failed", timestamp=to_rfc3339(BASE))
    retry = announce(server, key, **fields, timestamp=to_rfc3339(BASE + 15 * MINUTE))
    send_traces(server, key, 16, version="v7", revision=SHA)
    digest(server)
    browser = server.sign_in()
    section = show(browser, failed).one("section.seen")
    assert section.one("p.first a")["href"] == retry
    assert "was brought by v7, live" in section.one("p.first").text
    assert section.select("tr.is-own") == section.select(".own") == []
    section = show(browser, retry).one("section.seen")
    assert "1 min after the announced time" in section.one("p.first").text
    assert len(section.select("tr.is-own")) == 1
    [release] = server.rows("select deploy_id from releases where version = 'v7'")
    assert f"{PAGE}/{release['deploy_id']}" == retry


def test_a_failed_deploy_that_serves_all_the_same_says_so(server: Server, key: str) -> None:
    failed = announce(server, key, git_sha=SHA, status="failed", timestamp=to_rfc3339(BASE))
    send_traces(server, key, 5, revision=SHA)
    section = show(server.sign_in(), failed).one("section.seen")
    assert "5 min after the announced time" in section.one("p.first").text


def test_no_telemetry_of_a_version_is_told_where_there_is_any(server: Server, key: str) -> None:
    page = announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE))
    browser = server.sign_in()
    assert show(browser, page).select("section.seen") == []
    send_traces(server, key, 1, version="v1")
    digest(server)
    section = show(browser, page).one("section.seen")
    assert section.one("p.first").text == "No telemetry of this version yet."
    assert section.select("p.late") == []


def test_telemetry_without_a_version_is_told(server: Server, key: str) -> None:
    send_traces(server, key, 1)
    digest(server)
    page = announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE))
    text = show(server.sign_in(), page).one("section.seen p.first").text
    assert "names no version" in text
    assert "service.version" in text
    assert [row["sources"] for row in list_deploys(server, key)] == [["api"]]


def test_the_page_shows_who_served_around_the_deploy(server: Server, key: str) -> None:
    send_traces(server, key, -30, version="v1", count=4)
    send_traces(server, key, 4, version="v1", count=1)
    send_traces(server, key, 4, version="v2", count=3)
    send_traces(server, key, 9, version="v1", count=5)
    send_traces(server, key, 12, version="v2", count=6)
    send_traces(server, key, 20, version="v1", count=2)
    digest(server)
    page = announce(server, key, git_sha=SHA, version="v2", timestamp=to_rfc3339(BASE + 3 * MINUTE))
    section = show(server.sign_in(), page).one("section.seen")
    versions = [
        (row.one("bdi").text, [cell.text for cell in row.select("td")[:2]])
        for row in section.select("table.versions tbody tr")
    ]
    assert versions == [("v2", ["9", "43 %"]), ("v1", ["12", "57 %"])]
    assert section.one("tr.is-own bdi").text == "v2"
    late = section.one("p.late")
    assert late.one("b").text == "v1"
    # what came within ten minutes of the deploy is how a deploy goes
    assert "100 % of the requests (2), last seen" in late.text
    rows = [
        [cell.text for cell in row.select("td")[1:]] for row in section.select("table.steps tr")
    ]
    assert rows[1:] == [
        ["0 %", "100 %", "4"],
        ["75 %", "25 %", "4"],
        ["0 %", "100 %", "5"],
        ["100 %", "0 %", "6"],
        ["0 %", "100 %", "2"],
    ]
    bars = section.select("svg rect")
    assert [bar["class"] for bar in bars] == ["v1", "own", "v1", "v1", "own", "v1"]
    assert [float(bar["height"]) for bar in bars] == [100, 75, 25, 100, 100, 100]
    assert [float(bar["y"]) for bar in bars[1:3]] == [25, 0]
    assert all("style" not in element.attributes for element in section.walk())


def test_what_serves_after_the_next_deploy_is_no_straggler_of_this_one(
    server: Server, key: str
) -> None:
    send_traces(server, key, 0, version="v1", count=4)
    send_traces(server, key, 15, version="v1", count=4)
    send_traces(server, key, 40, version="v2", count=4)
    send_traces(server, key, 50, version="v1", count=1)
    digest(server)
    first, second = reversed(list_deploys(server, key))
    browser = server.sign_in()
    assert show(browser, f"{PAGE}/{first['id']}").select("p.late") == []
    late = show(browser, f"{PAGE}/{second['id']}").one("p.late")
    assert late.one("time")["datetime"] == to_rfc3339(BASE + 50 * MINUTE)


def test_a_rollback_to_what_was_seen_before_tells_since_when_it_serves(
    server: Server, key: str
) -> None:
    send_traces(server, key, -200, revision=SHA)
    announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE - 201 * MINUTE))
    announce(server, key, git_sha=OTHER_SHA, timestamp=to_rfc3339(BASE - 100 * MINUTE))
    page = announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE))
    send_traces(server, key, 7, revision=SHA)
    digest(server)
    times = [
        time["datetime"]
        for time in show(server.sign_in(), page).select("section.seen p.first time")
    ]
    assert times[:2] == [to_rfc3339(BASE - 200 * MINUTE), to_rfc3339(BASE + 7 * MINUTE)]
    assert list_deploys(server, key)[0]["kind"] == "rollback"


def test_many_versions_share_a_last_colour(server: Server, key: str) -> None:
    for number in range(9):
        send_traces(server, key, number, version=f"v{number}", count=9 - number)
    digest(server)
    [deploy] = [d for d in list_deploys(server, key) if d["version"] == "v8"]
    section = show(server.sign_in(), f"{PAGE}/{deploy['id']}").one("section.seen")
    assert len(section.select("table.versions tbody tr")) == 9
    heads = [head.text for head in section.select("table.steps th")]
    assert heads == ["Time", "v8", "v0", "v1", "v2", "v3", "4 others", "Requests"]


def test_a_deploy_of_last_year_has_a_page(server: Server, key: str) -> None:
    send_traces(server, key, 0, version="v1")
    digest(server)
    page = announce(server, key, git_sha=SHA, timestamp=to_rfc3339(BASE - 600 * DAY))
    ahead = announce(server, key, git_sha=OTHER_SHA, timestamp=to_rfc3339(BASE + 27 * HOUR))
    for address in (page, ahead):
        text = show(server.sign_in(), address).one("section.seen p.first").text
        assert text == "No telemetry of this version yet."


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_a_sender_writes_becomes_markup(server: Server, key: str, text: str) -> None:
    send_traces(server, key, 0, version=text, service=text[:90], env=text[:90])
    send_traces(server, key, 20, version="v2", service=text[:90], env=text[:90])
    send_traces(server, key, 40, version=text, service=text[:90], env=text[:90])
    digest(server)
    browser = server.sign_in()
    for address in (PAGE, *(f"{PAGE}/{d['id']}" for d in list_deploys(server, key))):
        page = show(browser, address)
        assert page.select("img") == page.select("style") == []
        assert {script["src"][:8] for script in page.select("script")} == {"/static/"}
        for element in page.walk():
            assert not any(name.startswith("on") for name in element.attributes)


def test_a_flood_of_versions_is_noted_once(
    server: Server, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = server.running.context
    watch = ReleaseWatch(context.database, context.clock, context.make_id, observe=True)
    logger = "miniapm.storage.observed.watch"
    with caplog.at_level(logging.WARNING, logger):
        for number in range(MOST_OF_LANE + 3):
            send_traces(server, key, number, version=f"run-{number}")
            server.run(watch.look())
    assert len(list_deploys(server, key)) == MOST_OF_LANE
    notes = [r.getMessage() for r in caplog.records if r.name == logger]
    # the server's own job may have seen it, too
    assert 1 <= len(notes) <= 2
    assert all("telemetry of default names more than 10 new versions" in note for note in notes)


@pytest.fixture
def switched_off(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    yield from start_server(tmp_path / "off.db", clock, deploys={"observe": False})


def test_switched_off_nothing_is_recorded_but_matched(switched_off: Server) -> None:
    server = switched_off
    server.clock.instant = BASE + HOUR
    key = server.make_key("deploys:write", "traces:write", "read")
    send_traces(server, key, 0, version="v1")
    send_traces(server, key, 1, version="v2")
    digest(server)
    assert list_deploys(server, key) == []
    announce(server, key, git_sha=SHA, version="v2")
    digest(server)
    [deploy] = list_deploys(server, key)
    assert (deploy["sources"], deploy["first_seen_at"]) == (
        ["api", "telemetry"],
        to_rfc3339(BASE + MINUTE),
    )
