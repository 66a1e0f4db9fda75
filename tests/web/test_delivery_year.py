"""The hand-made year of delivery_year.py through the API and the page: every number is the one that
stands beside it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest

from miniapm.clock import HOUR, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import parse_id
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.timeouts import time_out_started
from miniapm.storage.projects import get_project
from tests.conftest import FakeClock, Server, start_server
from tests.impacts import add_verdict
from tests.web.delivery_year import (
    Line,
    Sums,
    name_sha,
    read_deploys,
    read_sums,
    read_wall,
)
from tests.web.markup import parse_html

LINES = read_deploys()
SUMS = read_sums()
BEGIN, END = read_wall("2025-01-01 00:00"), read_wall("2026-01-01 00:00")
YEAR = {"from": to_rfc3339(BEGIN), "to": to_rfc3339(END), "tz": "Europe/Berlin"}


class Year(NamedTuple):
    """A server with the year in it; `ids` by the names of the table."""

    server: Server
    headers: dict[str, str]
    ids: dict[str, str]

    def get(self, path: str = "", **query: str) -> Any:
        answer = self.server.http.get(f"/api/v1/delivery{path}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def list_names(self, what: str, **query: str) -> list[str]:
        """The deploys behind a number, oldest first."""
        names = {self.ids[one.name]: one.name for one in LINES if one.counts != "repeat"}
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get("/deploys", list=what, limit="7", **query, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return [names[one["id"]] for one in reversed(items)]
            cursor = {"cursor": page["next_cursor"]}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    path = tmp_path_factory.mktemp("year") / "miniapm.db"
    for server in start_server(path, FakeClock(read_wall("2026-01-05 12:00"))):
        secret = server.make_key("deploys:write", "deploys:admin", "read")
        made = Year(server, {"Authorization": f"Bearer {secret}"}, {})
        for line in LINES:
            made.ids[line.name] = announce(made, line)
        server.clock.move(2 * HOUR)
        context = server.running.context
        server.run(context.database.write(time_out_started, HOUR, server.clock()))
        for line in LINES:
            correct(made, line)
        yield made


def announce(year: Year, line: Line) -> str:
    """Posts a line as a sender would; the id of its deploy."""
    message = "Move on\n\nrevert, hotfix, rollback: words that prove nothing"
    if reverted := line.find("reverts"):
        message = f'Revert "it"\n\nThis reverts commit {name_sha(reverted)}.'
    body = {
        "git_sha": line.sha,
        "service": line.service,
        "env": line.env,
        "timestamp": to_rfc3339(line.at),
        "status": line.find("status") or "succeeded",
        "title": line.find("title") or None,
        "tags": line.find("tag") or None,
        "commits": [
            {"sha": sha, "timestamp": to_rfc3339(line.at - age), "message": message}
            for sha, age in line.commits
        ],
    }
    answer = year.server.http.post("/ingest/deploys", json=body, headers=year.headers)
    assert answer.status_code == 202, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


def correct(year: Year, line: Line) -> None:
    """What people and the rule say of it afterwards."""
    http, address = year.server.http, f"/api/v1/deploys/{year.ids[line.name]}"
    answers: list[httpx2.Response] = []
    if state := line.find("regressed"):
        deploy = find_stored(year, line.name)
        minutes = None if state == "superseded" else 10 if state == "provisional" else 60
        add_verdict(year.server, deploy, state=state, minutes=minutes, verdict="regressed")
    if "dismissed" in line.says:
        decision = {"decision": "dismiss"}
        answers.append(http.post(f"{address}/review", json=decision, headers=year.headers))
    if word := line.find("overruled"):
        answers.append(http.patch(address, json={"overruled": word}, headers=year.headers))
    if "hidden" in line.says:
        answers.append(http.delete(address, headers=year.headers))
    assert all(answer.status_code in (200, 204) for answer in answers), answers


def find_stored(year: Year, name: str) -> Deploy:
    deploy_id = parse_id(year.ids[name])
    assert deploy_id is not None
    database = year.server.running.context.database
    project = year.server.run(database.read(get_project, "default"))
    return year.server.run(database.read(get_deploy, project.id, deploy_id))


def to_sums(metrics: dict[str, Any]) -> Sums:
    """What the API answered as the table has it; every share must be of these counts."""
    frequency, lead = metrics["deployment_frequency"], metrics["change_lead_time"]
    fails, rework = metrics["change_fail_rate"], metrics["deployment_rework_rate"]
    recovery = metrics["failed_deployment_recovery_time"]
    deploys = frequency["deploys"]
    for rate in (fails, rework):
        assert rate["whole"] == deploys
        assert rate["share"] == (pytest.approx(rate["part"] / deploys) if deploys else None)
    return Sums(
        deploys,
        fails["part"],
        rework["part"],
        recovery["recovered"],
        recovery["open"],
        recovery["median_us"],
        lead["commits"],
        lead["median_us"],
        lead["p90_us"],
    )


def test_every_deploy_is_stored_once(year: Year) -> None:
    rows = year.server.rows("select count(*) as n from deploys")
    assert rows == [{"n": len(LINES) - 1}]
    assert year.ids["W27"] == year.ids["W26"]


def test_the_year_is_as_counted_by_hand(year: Year) -> None:
    told = year.get(**YEAR, period="month")
    assert to_sums(told["metrics"]) == SUMS["all"]
    frequency = told["metrics"]["deployment_frequency"]
    # from 6 January on: the five days before it, nobody watched
    assert (frequency["days"], frequency["per_day"]) == (360, pytest.approx(0.1))
    assert told["metrics"]["change_lead_time"]["approximate"] == 2
    assert told["left_out"] == {
        "hidden": 1, "other_environments": 1, "left_out": 0, "failed": 1,
        "cancelled": 1, "timed_out": 1, "started": 0, "redeploys": 1,
    }  # fmt: skip
    assert told["envs"] == ["live", "production"]


def test_every_month_is(year: Year) -> None:
    told = year.get(**YEAR, period="month")["periods"]
    assert {to_month(one["until"]): to_sums(one["metrics"]) for one in told} == {
        name: sums for name, sums in SUMS.items() if name[0] == "2"
    }
    assert [one["since"] for one in told[:5]] == [
        "2024-12-31T23:00:00Z",
        "2025-01-31T23:00:00Z",
        "2025-02-28T23:00:00Z",
        "2025-03-31T22:00:00Z",
        "2025-04-30T22:00:00Z",
    ]


def to_month(until: str) -> str:
    """The month that ends at `until`, which is midnight in Berlin."""
    return until[:7]


def test_a_month_without_deploys_has_no_data_which_is_not_zero(year: Year) -> None:
    april, may = (year.get(**YEAR, period="month")["periods"][place]["metrics"] for place in (3, 4))
    assert april["change_fail_rate"] == {"part": 0, "whole": 1, "share": 0}
    assert may["change_fail_rate"] == {"part": 0, "whole": 0, "share": None}
    assert may["deployment_frequency"] == {"deploys": 0, "days": 31, "per_day": 0}
    assert may["failed_deployment_recovery_time"]["median_us"] is None


@pytest.mark.parametrize("service", ["web", "api"])
def test_each_service_is(year: Year, service: str) -> None:
    whole, alone = year.get(**YEAR), year.get(**YEAR, service=service)
    assert to_sums(alone["metrics"]) == SUMS[service]
    assert whole["services"][service] == alone["metrics"]
    assert alone["services"] == {service: alone["metrics"]}


def test_an_environment_that_is_asked_for_counts(year: Year) -> None:
    told = year.get(**YEAR, env="staging")["metrics"]
    assert to_sums(told) == Sums(1, 0, 0, 0, 0, None, 1, HOUR, HOUR)
    assert year.list_names("deploys", **YEAR, env="staging") == ["W2"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("deploys", [o.name for o in LINES if o.counts == "yes" and o.at < END]),
        ("failed", [o.name for o in LINES if o.failed != "-"]),
        ("recovered", [o.name for o in LINES if o.over not in ("-", "open")]),
        ("open", [o.name for o in LINES if o.over == "open"]),
        ("rework", [o.name for o in LINES if o.rework != "-"]),
        ("lead_times", [o.name for o in LINES if o.waits and o.at < END]),
        ("redeploys", [o.name for o in LINES if o.counts == "redeploy"]),
    ],
)
def test_behind_each_number_are_exactly_its_deploys(
    year: Year, what: str, expected: list[str]
) -> None:
    assert year.list_names(what, **YEAR) == expected
    by_service = [
        name for name in ("web", "api") for name in year.list_names(what, **YEAR, service=name)
    ]
    assert sorted(by_service) == sorted(expected)


def test_every_deploy_is_what_stands_beside_it(year: Year) -> None:
    items = year.get("/deploys", **YEAR, list="deploys", limit="500")["items"]
    told = {one["id"]: one for one in items}
    for line in LINES:
        if line.counts != "yes" or line.at >= END:
            continue
        one = told[year.ids[line.name]]
        lead = one["lead_time"]
        assert (one["failure"] or {"reason": "-"})["reason"] == line.failed, line.name
        assert (one["rework"] or "-") == line.rework, line.name
        assert (0 if lead is None else lead["commits"]) == len(line.waits), line.name
        assert (one["recovery_us"] is None) == (line.over in ("-", "open")), line.name
    failures = {name: told[year.ids[name]]["failure"] for name in ("W7", "W12", "W18", "W22", "A2")}
    assert failures["A2"]["tag"] == "sev1"
    ends = {"W7": "W8", "W12": "W13", "W18": "W19", "W22": "W24"}
    assert {n: failures[n]["by_id"] for n in ends} == {n: year.ids[by] for n, by in ends.items()}


def count_days(year: Year, since: str, until: str, period: str, tz: str) -> list[tuple[str, int]]:
    told = year.get(**{"from": since, "to": until}, period=period, tz=tz)
    return [
        (one["since"], one["metrics"]["deployment_frequency"]["deploys"]) for one in told["periods"]
    ]


def test_the_night_when_clocks_go_forward(year: Year) -> None:
    days = ("2025-03-28T23:00:00Z", "2025-03-31T22:00:00Z", "day", "Europe/Berlin")
    assert count_days(year, *days) == [
        ("2025-03-28T23:00:00Z", 1),  # W10
        ("2025-03-29T23:00:00Z", 2),  # W11, W12: 23 hours
        ("2025-03-30T22:00:00Z", 1),  # W13
    ]
    weeks = ("2025-03-23T23:00:00Z", "2025-04-06T22:00:00Z", "week", "Europe/Berlin")
    assert count_days(year, *weeks) == [
        ("2025-03-23T23:00:00Z", 3),  # W10, W11, W12
        ("2025-03-30T22:00:00Z", 2),  # W13, W14
    ]


def test_the_night_when_clocks_go_back(year: Year) -> None:
    days = ("2025-10-24T22:00:00Z", "2025-10-27T23:00:00Z", "day", "Europe/Berlin")
    assert count_days(year, *days) == [
        ("2025-10-24T22:00:00Z", 0),
        ("2025-10-25T22:00:00Z", 3),  # W28, W29, W30: 25 hours
        ("2025-10-26T23:00:00Z", 0),
    ]


def test_utc_has_other_days(year: Year) -> None:
    days = ("2025-03-29T00:00:00Z", "2025-04-01T00:00:00Z", "day", "UTC")
    assert [count for _, count in count_days(year, *days)] == [2, 2, 1]
    months = ("2025-03-01T00:00:00Z", "2025-05-01T00:00:00Z", "month", "UTC")
    assert [count for _, count in count_days(year, *months)] == [5, 0]


def test_each_month_alone_is_as_in_the_year(year: Year) -> None:
    for one in year.get(**YEAR, period="month")["periods"]:
        alone = year.get(**{"from": one["since"], "to": one["until"]}, tz="Europe/Berlin")
        assert alone["metrics"] == one["metrics"]


def test_bands_have_their_year_and_need_ten_deploys(year: Year) -> None:
    assert year.get(**YEAR)["bands"] == {
        "year": 2023,
        "fewest_deploys": 10,
        "deployment_frequency": "medium",
        "change_lead_time": "elite",
        "change_fail_rate": "low",
        "failed_deployment_recovery_time": "high",
    }
    may = year.get(**{"from": "2025-06-01T00:00:00Z", "to": "2025-09-01T00:00:00Z"}, service="api")
    assert may["metrics"]["deployment_frequency"]["deploys"] == 6
    bands = may["bands"]
    assert {v for n, v in bands.items() if n not in ("year", "fewest_deploys")} == {None}


def test_the_page_says_the_same(year: Year) -> None:
    browser = year.server.sign_in("viewer")
    browser.cookies.set("tz", "Europe/Berlin")
    query = {name: YEAR[name] for name in ("from", "to")}
    page = parse_html(browser.get("/p/default/delivery", params=query).text)
    values = {tile["id"]: tile.one(".value").text for tile in page.select("section.tile")}
    assert values == {
        "deployment_frequency": "3.0 a month",
        "change_lead_time": "1 h",
        "change_fail_rate": "33 %",
        "failed_deployment_recovery_time": "2 h 15 min",
        "deployment_rework_rate": "17 %",
    }
    assert [tile.one(".of a").text for tile in page.select("section.tile")] == [
        "36 deploys", "33 commits", "12 of 36 deploys", "10 recovered", "6 of 36 deploys",
    ]  # fmt: skip
    for tile, count in zip(page.select("section.tile"), (36, 31, 12, 10, 6), strict=True):
        assert len(list_rows(browser, tile.one(".of a")["href"])) == count


def list_rows(browser: httpx2.Client, address: str) -> list[str]:
    """The rows of a list over all its pages."""
    rows: list[str] = []
    while True:
        page = parse_html(browser.get(address.partition("#")[0]).text)
        rows += [row["id"] for row in page.select("table.behind tbody tr")]
        following = page.select("nav.pages a[rel=next]")
        if not following:
            assert len(set(rows)) == len(rows)
            return rows
        address = following[0]["href"]


def test_each_month_of_the_table_leads_to_its_deploys(year: Year) -> None:
    browser = year.server.sign_in("viewer")
    browser.cookies.set("tz", "Europe/Berlin")
    query = {**{name: YEAR[name] for name in ("from", "to")}, "list": "deploys"}
    page = parse_html(browser.get("/p/default/delivery", params=query).text)
    links = page.select("details.by-period tbody th a")
    expected = [sums.deploys for name, sums in SUMS.items() if name[0] == "2"]
    assert [len(list_rows(browser, link["href"])) for link in reversed(links)] == expected
