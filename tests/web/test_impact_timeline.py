"""Verdicts where deploys are listed: marks and strips on the timeline, marks on other pages, and
how pages that are open hear of them."""

from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import Decision
from miniapm.storage.audit import Act
from miniapm.storage.impact.reviews import review_verdict
from tests.conftest import Server
from tests.factories import START
from tests.impacts import add_verdict, make_endpoint
from tests.web.deploy_rows import add_deploy
from tests.web.entry_rows import add_entries, make_entry
from tests.web.markup import Element, parse_html
from tests.web.test_events import stream

PAGE = "/p/default/deploys"
# the job judges none of before; what stands there stays
OLD = START - 20 * DAY


def judged(server: Server, number: int = 0, **fields: Any) -> Deploy:
    """A deploy of long ago with a verdict, `number` hours after the others."""
    deploy = add_deploy(server, version=f"v{number}", deployed_at=OLD + number * HOUR)
    add_verdict(server, deploy, **fields)
    return deploy


def say(server: Server, deploy: Deploy, decision: Decision | None) -> None:
    context = server.running.context
    act = Act("ana", server.clock(), context.make_id)
    database = context.database
    server.run(database.write(review_verdict, act, deploy.project_id, deploy.id, decision, ""))


def show(server: Server, query: str = "") -> Element:
    answer = server.sign_in().get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


@pytest.mark.parametrize(
    ("fields", "css", "text"),
    [
        ({}, "regressed", "regressed"),
        (
            {"state": "provisional", "minutes": 10},
            "regressed",
            "regressed so far, provisional",
        ),
        ({"is_learning": True}, "regressed", "regressed, learning"),
        (
            {"endpoints": (make_endpoint(verdict="improved"),)},
            "improved",
            "improved",
        ),
        (
            {"endpoints": (make_endpoint(verdict="unchanged"),)},
            "unchanged",
            "unchanged",
        ),
        ({"endpoints": (), "smallest": None}, "unknown", "not enough data"),
        (
            {"state": "superseded"},
            "unknown",
            "superseded, replaced before there was enough to see",
        ),
        (
            {
                "state": "withdrawn",
                "minutes": 30,
                "endpoints": (make_endpoint(verdict="unchanged"),),
            },
            "unchanged",
            "withdrawn, what looked like a regression has passed",
        ),
    ],
)
def test_each_verdict_has_a_mark_and_words(
    server: Server, fields: dict[str, Any], css: str, text: str
) -> None:
    deploy = judged(server, **fields)
    cell = show(server).one(f"tr#d{deploy.id} td.st")
    assert cell.one("b.verdict")["class"] == f"verdict {css}"
    assert cell.text == text


def test_without_a_verdict_the_status_stands_alone(server: Server) -> None:
    pending = judged(server, state="pending")
    plain = add_deploy(server, deployed_at=OLD - HOUR)
    page = show(server)
    for deploy in (pending, plain):
        row = page.one(f"tr#d{deploy.id}")
        assert row.one("td.st").text == "succeeded"
        assert row.select("b.verdict") == row.select("svg") == []


def test_what_was_dismissed_is_shown_as_such(server: Server) -> None:
    deploy = judged(server)
    say(server, deploy, "dismiss")
    mark = show(server).one(f"tr#d{deploy.id} b.verdict")
    assert mark["class"] == "verdict regressed dismissed"
    assert mark.text == "dismissed, the verdict was: regressed"
    say(server, deploy, "confirm")
    assert show(server).one(f"tr#d{deploy.id} b.verdict").text == "regressed, confirmed by hand"


def test_a_row_has_its_strip(server: Server) -> None:
    deploy = judged(server)
    strip = show(server).one(f"tr#d{deploy.id} svg")
    p95, errors = strip.select("path")
    # of the two hours the deploy is in the middle
    assert p95["d"].startswith("M3 ")
    assert p95["d"].count("M") == 2
    assert errors["d"].startswith("M")


def test_regressions_and_what_was_said_of_them_are_counted(server: Server) -> None:
    deploys = [judged(server, number) for number in range(3)]
    judged(server, 4, endpoints=(make_endpoint(verdict="unchanged"),))
    server.run(hide(server, judged(server, 5)))
    say(server, deploys[0], "dismiss")
    say(server, deploys[1], "confirm")
    assert counted(server) == ["3 regressions in 90 days, 1 of them dismissed, 1 of them confirmed"]
    assert counted(server, "?range=30d") == [
        "3 regressions in this time, 1 of them dismissed, 1 of them confirmed"
    ]
    since, until = "2025-09-19T09:00:00Z", "2025-09-19T10:00:00Z"
    assert OLD == 1_758_272_000_000_000
    assert counted(server, f"?from={since}&to={until}") == ["1 regression in this time, confirmed"]
    assert counted(server, "?env=staging") == counted(server, "?q=v1") == []


async def hide(server: Server, deploy: Deploy) -> None:
    from miniapm.storage.deploys.change import hide_deploy

    context = server.running.context
    act = Act("ana", server.clock(), context.make_id)
    await context.database.write(hide_deploy, act, deploy.project_id, deploy.id)


def counted(server: Server, query: str = "") -> list[str]:
    return [e.text for e in show(server, query).select("span.reviewed")]


def test_a_full_page_with_verdicts_is_small(server: Server) -> None:
    for number in range(52):
        deploy = add_deploy(
            server,
            version=f"v2025.10.{number}",
            git_sha=f"{number:02}" + "abcdef01" * 4 + "abcdef",
            deployer="github-actions",
            title="Charge cards once when the gateway answers twice",
            deployed_at=OLD + number * MINUTE + 123456,
            env=("production", "staging")[number % 2],
        )
        add_verdict(server, deploy)
    answer = server.sign_in().get(PAGE)
    assert len(parse_html(answer.text).select("tr td svg")) == 50
    assert len(answer.content) < 40_000


def test_other_pages_mark_the_latest_deploys(server: Server) -> None:
    judged(server)
    page = parse_html(server.sign_in().get("/p/default/").text)
    assert page.one("ul.latest b.verdict.regressed").text == "regressed"


def test_lines_of_deploys_in_charts_carry_their_verdict(server: Server) -> None:
    deploy = judged(server)
    say(server, deploy, "dismiss")
    add_entries(server, [make_entry(started_at=OLD + n * MINUTE) for n in range(30)])
    span = "from=2025-09-19T06:00:00Z&to=2025-09-19T12:00:00Z"
    page = parse_html(server.sign_in().get(f"/p/default/?{span}").text)
    marker = page.one("details.markers li.dismissed")
    assert marker["class"] == "succeeded regressed dismissed"
    assert "dismissed (the verdict was: regressed)" in marker.text


def test_pages_that_are_open_hear_of_verdicts_and_reviews(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=OLD, updated_at=START, version="v1")
    browser = server.sign_in()
    page = parse_html(browser.get(PAGE).text)
    seen = page.one("[data-events]")["data-change"]
    assert seen == str(START)
    server.clock.move(MINUTE)
    with stream(browser, f"?seen={seen}") as blocks:
        next(blocks)
        add_verdict(server, deploy)
        assert f"id: {START + MINUTE}" in next(blocks)
        server.clock.move(MINUTE)
        say(server, deploy, "dismiss")
        assert f"id: {START + 2 * MINUTE}" in next(blocks)
    page = parse_html(browser.get(f"{PAGE}/{deploy.id}").text)
    assert page.one("[data-events]")["data-change"] == str(START + 2 * MINUTE)


def test_pages_that_are_open_hear_when_a_review_is_taken_back(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=OLD, updated_at=START, version="v1")
    add_verdict(server, deploy)
    say(server, deploy, "dismiss")
    # newer than the review: without it, what is newest does not change
    server.clock.move(MINUTE)
    newer = add_deploy(server, deployed_at=OLD, updated_at=server.clock(), version="v2")
    with stream(server.sign_in(), f"?seen={newer.updated_at}") as blocks:
        next(blocks)
        server.clock.move(MINUTE)
        say(server, deploy, None)
        assert f"id: {START + 2 * MINUTE}" in next(blocks)
    assert server.rows("select * from impact_reviews") == []
    # what the verdict itself went through stays
    assert server.rows("select changed_at from impact_changes") == [{"changed_at": START}]
