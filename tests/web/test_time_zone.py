"""One zone per viewer: from the cookie, chosen by hand, right through changes of the clock."""

from datetime import UTC, date, datetime

import pytest

from miniapm.clock import HOUR, MINUTE, SECOND, from_datetime
from miniapm.web.time_zone import Zone, find_zone_names, make_zone
from miniapm.web.times import tell_clock, tell_day, tell_duration, tell_instant, tell_iso
from tests.conftest import Server
from tests.web.deploy_rows import add_deploy
from tests.web.markup import parse_html


def at(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def berlin() -> Zone:
    zone = make_zone("Europe/Berlin")
    assert zone is not None
    return zone


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Else", "../../etc/passwd", "Europe", "europe\0", "localtime", "a" * 5000]
)
def test_what_is_no_zone_is_not_taken(name: str) -> None:
    assert make_zone(name) is None


def test_utc_is_always_there() -> None:
    assert make_zone("UTC") == Zone()
    assert "UTC" in find_zone_names()


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    summer, winter = at("2025-10-26T00:30:00"), at("2025-10-26T01:30:00")
    assert ">02:30 CEST<" in tell_clock(summer, berlin())
    assert ">02:30 CET<" in tell_clock(winter, berlin())
    assert 'datetime="2025-10-26T00:30:00Z"' in tell_clock(summer, berlin())
    assert tell_iso(summer, berlin()) == "2025-10-26T02:30:00+02:00"
    assert tell_iso(winter, berlin()) == "2025-10-26T02:30:00+01:00"


def test_an_ordinary_day_has_plain_times() -> None:
    assert ">10:53<" in tell_clock(at("2025-10-09T08:53:20"), berlin())
    assert ">9 October 2025, 10:53:20<" in tell_instant(at("2025-10-09T08:53:20"), berlin())
    assert tell_iso(at("2025-10-09T08:53:20"), Zone()) == "2025-10-09T08:53:20Z"


def test_days_are_told_by_their_distance() -> None:
    today = date(2026, 1, 1)
    assert tell_day(today, today) == "Today, Thursday 1 January"
    assert tell_day(date(2025, 12, 31), today) == "Yesterday, Wednesday 31 December 2025"
    assert tell_day(date(2025, 3, 3), today) == "Monday 3 March 2025"


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (850_000, "850 ms"),
        (42 * SECOND, "42 s"),
        (3 * MINUTE, "3 min"),
        (3 * MINUTE + 20 * SECOND, "3 min 20 s"),
        (2 * HOUR + 5 * MINUTE + SECOND, "2 h 5 min"),
        (50 * HOUR, "50 h"),
    ],
)
def test_durations_are_short(micros: int, text: str) -> None:
    assert tell_duration(micros) == text


def test_every_instant_of_a_page_is_in_the_viewers_zone(server: Server) -> None:
    deploy = add_deploy(
        server, deployed_at=at("2025-10-09T08:53:20"), recorded_at=at("2025-10-09T09:00:00")
    )
    browser = server.sign_in()
    browser.cookies.set("tz", "Asia/Kolkata")
    page = parse_html(browser.get(f"/p/default/deploys/{deploy.id}").text)
    times = {time["datetime"]: time.text for time in page.select("time")}
    assert times == {
        "2025-10-09T08:53:20Z": "9 October 2025, 14:23:20",
        "2025-10-09T09:00:00Z": "9 October 2025, 14:30:00",
    }
    assert page.one("html")["data-zone"] == "Asia/Kolkata"
    assert "Times are in Asia/Kolkata" in page.one("footer").text


def test_a_zone_nobody_knows_is_utc(server: Server) -> None:
    browser = server.sign_in()
    browser.cookies.set("tz", "../../../etc/passwd")
    assert "Times are in UTC" in browser.get("/p/default/deploys").text


def test_it_can_be_chosen_without_scripts(server: Server) -> None:
    browser = server.sign_in()
    form = parse_html(browser.get("/time-zone?next=/p/default/deploys?env=a").text).one("main form")
    assert form.one('input[name="next"]')["value"] == "/p/default/deploys?env=a"
    assert "America/New_York" in [option.text for option in form.select("option")]
    answer = browser.post(
        form["action"], data={"zone": "America/New_York", "next": "/p/default/deploys?env=a"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/default/deploys?env=a")
    assert "Times are in America/New York" in browser.get("/p/default/deploys").text


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", ""]
)
def test_it_leads_nowhere_else(server: Server, target: str) -> None:
    answer = server.http.post("/time-zone", data={"zone": "UTC", "next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_an_unknown_choice_is_refused(server: Server) -> None:
    answer = server.http.post("/time-zone", data={"zone": "Mars/Olympus"})
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


def test_another_site_may_not_choose(server: Server) -> None:
    answer = server.http.post(
        "/time-zone", data={"zone": "UTC"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
