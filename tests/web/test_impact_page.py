"""The verdict on the deploy page: the sentence, the evidence, and what people say of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from miniapm.clock import DAY, HOUR, MINUTE, SECOND, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import Confounder, EndpointImpact, Window
from tests import factories
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START
from tests.impacts import add_verdict, make_change, make_endpoint, make_error, make_impact
from tests.web.deploy_rows import add_deploy
from tests.web.entry_rows import add_entries, make_entry
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/deploys"
# the job judges none of before; what stands there stays
OLD = START - 20 * DAY
FAILING = (
    make_change(metric="error_rate", before=0.001, after=0.05, failed_before=6, failed_after=300),
)


@pytest.fixture
def keeping(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    """A server that keeps spans for long."""
    yield from start_server(tmp_path / "kept.db", clock, retention={"spans": "60d"})


def old_deploy(server: Server, **fields: Any) -> Deploy:
    return add_deploy(server, **{"version": "v2", "deployed_at": OLD, **fields})


def show(browser: httpx2.Client, deploy: Deploy) -> Element:
    answer = browser.get(f"{PAGE}/{deploy.id}")
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def three_endpoints() -> tuple[EndpointImpact, ...]:
    return (
        make_endpoint(),
        make_endpoint(endpoint_id=2, name="GET /cart", verdict="unchanged"),
        make_endpoint(endpoint_id=3, name="GET /rare", verdict="not_enough_data", share=0.001),
    )


def test_the_sentence_comes_first_with_its_mark_state_and_reasons(server: Server) -> None:
    deploy = old_deploy(server)
    impact = add_verdict(server, deploy, endpoints=three_endpoints())
    page = show(server.sign_in(), deploy)
    judged = page.one("section.judged.regressed")
    assert judged.one("h2 span").text == impact.sentence
    assert judged.one("b.verdict.regressed").text == "regressed"
    assert [one.text for one in judged.select("ul.reasons li")] == list(impact.reasons)
    state = judged.one("p.state")
    assert state.text.startswith("Final, after the 60-minute look; reached ")
    assert [one["datetime"] for one in state.select("time")] == [to_rfc3339(impact.computed_at)]
    # before anything else of the page but its name
    headings = [e.text for e in page.one("main").walk() if e.tag in ("h1", "h2")]
    assert headings[:2] == ["v2", f"regressed {impact.sentence}"]


def test_what_changed_is_drawn_and_stands_in_a_table(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, endpoints=three_endpoints())
    page = show(server.sign_in(), deploy)
    overlay = page.one("figure.overlay")
    link = overlay.one("figcaption a")
    assert (link.text, link["href"]) == ("POST /checkout", "/p/default/endpoints/1")
    panels = overlay.select("div.panel")
    assert [panel.one("b").text for panel in panels] == ["p50", "p95", "Failed"]
    for panel in panels:
        before, after = panel.one("path.before")["d"], panel.one("path.after")["d"]
        assert before != after
        # nothing was served in six minutes of the hour before: the line is broken there
        assert (before.count("M"), after.count("M")) == (2, 1)
        assert panel.select("path.deploy")
    rows = overlay.select("table.minutes tbody tr")
    assert [row.one("th").text for row in rows] == [str(minute) for minute in range(63)]
    before, after = (cell.text for cell in rows[21].select("td")[:2])
    assert (before, after[-3:]) == ("", " ms")


def test_without_a_change_all_of_the_service_is_drawn(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, endpoints=three_endpoints()[1:])
    overlay = show(server.sign_in(), deploy).one("figure.overlay")
    assert overlay.one("figcaption").text == "All endpoints"


def test_the_line_after_ends_where_the_next_deploy_took_over(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, minutes=30, next_at=OLD - OLD % MINUTE + 39 * MINUTE + 5)
    section = show(server.sign_in(), deploy).one("section.overlays")
    keys = section.one("p.keys").text
    assert "end of what was judged, minute 33" in keys
    assert "minute 39: the next deploy took over, the line ends" in keys
    panel = section.select("div.panel")[0]
    assert (panel.one("path.end")["d"], panel.one("path.next")["d"]) == ("M33 0v104", "M39 0v104")
    assert panel.one("rect")["width"] == "3"
    xs = [
        int(point.split()[0]) for point in re.findall(r"[ML](\d+ )", panel.one("path.after")["d"])
    ]
    assert max(xs) == 38
    rows = section.select("table.minutes tbody tr")
    after = [row.select("td")[1].text for row in rows]
    assert (after[38][-3:], after[39]) == (" ms", "")


def test_what_was_judged_to_the_end_of_the_drawing_needs_no_mark(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    section = show(server.sign_in(), deploy).one("section.overlays")
    assert section.select("path.end") == section.select("path.next") == []
    assert "minute" not in section.one("p.keys").text


def test_windows_that_begin_with_the_first_telemetry_say_so(server: Server) -> None:
    deploy = old_deploy(server)
    seen = OLD + 3 * MINUTE + 20 * SECOND
    start = seen + -seen % MINUTE + 2 * MINUTE
    impact = make_impact(deploy, at=seen, after_since=start)
    assert impact.look is not None
    look = replace(impact.look, after=Window(start, start + HOUR))
    add_verdict(server, deploy, replace(impact, look=look))
    page = show(server.sign_in(), deploy)
    [compared] = [e for e in page.select("p.hint") if e.text.startswith("Compared")]
    assert "after 2 min of warm-up since its first telemetry, " in compared.text
    before, after, first = (e["datetime"] for e in compared.select("time"))
    assert [before, after, first] == [to_rfc3339(at) for at in (impact.before.until, start, seen)]
    assert "its first telemetry, 3 min 20 s after the deploy" in page.one("p.keys").text
    # the band of the warm-up ends where the time compared begins
    drawn = seen - seen % MINUTE
    assert page.select("div.panel rect")[0]["width"] == str((start - drawn) // MINUTE)


def test_the_two_figures_of_the_replay_say_what_they_count(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    page = show(server.sign_in(), deploy)
    assert "(p95 of this endpoint alone)" in page.one("ul.reasons li").text
    [whole] = [e.text for e in page.select("p.hint") if "whole rule" in e.text]
    assert whole.startswith("All endpoints and figures together: ")
    assert "at 9 of 2,016 moments without a deploy (0.45 %)" in whole


def test_an_old_verdict_without_minutes_is_told_as_it_was_kept(server: Server) -> None:
    deploy = old_deploy(server)
    impact = add_verdict(server, deploy, endpoints=three_endpoints(), drawn=False)
    page = show(server.sign_in(), deploy)
    assert page.select("figure.overlay") == []
    assert page.one("section.judged h2 span").text == impact.sentence
    assert len(page.select("table.impacts tbody tr")) == 3


def test_the_table_has_every_endpoint_in_the_order_of_the_verdict(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, endpoints=three_endpoints())
    page = show(server.sign_in(), deploy)
    worst, same, rare = page.select("table.impacts tbody tr")
    assert [cell.text for cell in worst.select("td")] == [
        "regressed", "6,012 to 5,950", "80.0 ms to 114 ms +42 %", "200 ms to 284 ms +42 %",
        "0.10 % to 0.12 %", "+18 %",
    ]  # fmt: skip
    assert worst.one("th a")["href"] == "/p/default/endpoints/1"
    # only what was called a change looks like one
    assert [e.text for e in worst.select("span.by.regressed")] == ["+42 %"]
    assert same.one("b.verdict.unchanged").text == "unchanged"
    assert rare.one("b.verdict.unknown").text == "not enough data"
    assert "only 31 requests before the deploy" in rare.one("th span.hint").text
    hint = page.one("#endpoints").text
    assert hint == "Endpoints 3"
    assert "1 of 3 could not be judged, with 0.10 % of the requests" in page.one("main").text


def test_very_many_endpoints_are_not_all_shown(server: Server) -> None:
    deploy = old_deploy(server)
    many = tuple(
        make_endpoint(endpoint_id=n, name=f"GET /{n}", verdict="unchanged") for n in range(1, 131)
    )
    add_verdict(server, deploy, endpoints=many)
    page = show(server.sign_in(), deploy)
    assert len(page.select("table.impacts tbody tr")) == 100
    assert "30 more" in page.one("main").text


def test_errors_and_other_deploys_are_linked(server: Server) -> None:
    near = old_deploy(server, version="v7", service="worker", deployed_at=OLD - MINUTE)
    deploy = old_deploy(server)
    add_verdict(
        server, deploy, errors=(make_error(),),
        confounders=(Confounder(near.id, "worker", "v7", near.deployed_at),),
    )  # fmt: skip
    page = show(server.sign_in(), deploy)
    links = {link["href"]: link.text for link in page.select("main a")}
    assert links["/p/default/errors/7"] == "CardDeclined"
    assert links[f"{PAGE}/{near.id}"] == "worker v7"


def add_calls(server: Server, deploy: Deploy) -> None:
    """Calls of the first endpoint each minute around a deploy, slower and failing after it."""
    add_entries(
        server,
        [
            make_entry(
                endpoint="POST /checkout",
                started_at=deploy.deployed_at + minute * MINUTE,
                duration_us=(100_000 + minute * 100) * (2 if minute > 0 else 1),
                failed=minute in (10, 20, 30),
                status_code=500 if minute in (10, 20, 30) else 200,
                trace_id=bytes([minute + 60] * 16),
            )
            for minute in range(-59, 60)
        ],
    )


def test_slow_calls_of_after_stand_beside_those_of_before(keeping: Server) -> None:
    deploy = old_deploy(keeping)
    add_calls(keeping, deploy)
    add_verdict(keeping, deploy)
    browser = keeping.sign_in()
    before, after = show(browser, deploy).select("section.examples div.sides ul")
    assert [link.text for link in before.select("a")] == ["100 ms", "100 ms"]
    assert [link.text for link in after.select("a")] == ["212 ms", "212 ms"]
    [row] = keeping.rows("select id from entries order by started_at desc limit 1")
    slowest = after.select("a")[0]["href"]
    assert slowest == f"/p/default/traces/{bytes([59 + 60] * 16).hex()}?at={row['id']}"


def test_failing_endpoints_have_failed_calls(keeping: Server) -> None:
    deploy = old_deploy(keeping)
    add_calls(keeping, deploy)
    add_verdict(keeping, deploy, endpoints=(replace(make_endpoint(), changes=FAILING),))
    examples = show(keeping.sign_in(), deploy).one("section.examples")
    assert examples.one("h3").text == "Failed calls of POST /checkout"
    before, after = examples.select("div.sides div")
    assert before.text == "BeforeNone to look at."
    assert [e.text for e in after.select("span.failed")] == ["500 failed", "500 failed"]


def test_calls_that_had_their_time_are_said_to_be_gone(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    examples = show(server.sign_in(), deploy).one("section.examples")
    assert "no longer kept" in examples.text


def test_what_it_went_through_is_told_with_times(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, state="provisional", minutes=10, computed_at=OLD + 12 * MINUTE)
    after = add_verdict(
        server, deploy, state="withdrawn", minutes=30, computed_at=OLD + 32 * MINUTE,
        endpoints=(make_endpoint(verdict="unchanged"),),
    )  # fmt: skip
    page = show(server.sign_in(), deploy)
    steps = page.select("ol.steps-taken li")
    assert [step.one("b").text for step in steps] == [
        "regressed, provisional (10 min)",
        "unchanged, withdrawn (30 min)",
    ]
    assert steps[1].one("time")["datetime"] == to_rfc3339(OLD + 32 * MINUTE)
    assert steps[1].one("span").text == after.sentence


def test_judged_again_it_stands_since_it_was_reached(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, state="provisional", minutes=10, computed_at=OLD + 12 * MINUTE)
    first, again = OLD + 62 * MINUTE, OLD + 90 * MINUTE
    add_verdict(server, deploy, computed_at=first)
    add_verdict(server, deploy, computed_at=again)
    page = show(server.sign_in(), deploy)
    # the same words: nothing to tell of that
    assert [e["datetime"] for e in page.select("p.state time")] == [to_rfc3339(first)]
    worse = add_verdict(
        server,
        deploy,
        computed_at=again,
        endpoints=(make_endpoint(p50_us=9_000.0), *three_endpoints()[1:]),
    )
    page = show(server.sign_in(), deploy)
    state = page.one("p.state")
    assert ", judged again " in state.text
    assert [e["datetime"] for e in state.select("time")] == [to_rfc3339(first), to_rfc3339(again)]
    steps = page.select("ol.steps-taken li")
    assert [step.one("time")["datetime"] for step in steps][-1] == to_rfc3339(first)
    assert steps[-1].one("span").text == worse.sentence == page.one("h2.sentence span").text
    # what was told at the time is kept
    kept = server.rows("select sentence, changed_at from impact_changes order by id")
    assert kept[-1]["changed_at"] == first
    assert kept[-1]["sentence"] != worse.sentence


def test_a_later_look_that_confirms_is_a_step_of_its_own(server: Server) -> None:
    deploy = old_deploy(server)
    for minutes in (10, 30, 30):
        add_verdict(server, deploy, state="provisional", minutes=minutes)
    steps = show(server.sign_in(), deploy).select("ol.steps-taken li b")
    assert [step.text for step in steps] == [
        "regressed, provisional (10 min)",
        "regressed, confirmed (30 min)",
    ]
    looks = server.rows("select look from impact_changes order by id")
    assert [row["look"] for row in looks] == [10, 30]


@pytest.mark.parametrize(
    ("fields", "css", "word"),
    [
        ({"endpoints": (make_endpoint(verdict="improved"),)}, "improved", "improved"),
        ({"endpoints": (make_endpoint(verdict="unchanged"),)}, "unchanged", "unchanged"),
        ({"endpoints": (), "smallest": None}, "unknown", "not enough data"),
        ({"state": "superseded"}, "unknown", "superseded"),
        ({"state": "provisional", "minutes": 10}, "regressed", "regressed so far"),
        ({"is_learning": True}, "regressed", "regressed"),
    ],
)
def test_each_state_has_its_mark(
    server: Server, fields: dict[str, Any], css: str, word: str
) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, **fields)
    mark = show(server.sign_in(), deploy).one(f"section.judged h2 b.verdict.{css}")
    assert mark.text.partition(",")[0] == word
    assert ("learning" in mark.text) == ("is_learning" in fields)


def test_while_pending_it_says_when_it_is_looked(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy, state="pending", next_look_at=START + 7 * MINUTE)
    judged = show(server.sign_in(), deploy).one("section.judged")
    assert judged.select("b.verdict") == []
    assert judged.one("p.state").text.startswith("Pending; next look in 7 min, ")
    assert judged.select("details.review") == []


def test_what_was_never_judged_says_so_and_what_failed_says_nothing(server: Server) -> None:
    browser = server.sign_in()
    never, failed = old_deploy(server), old_deploy(server, status="failed")
    assert "was not judged" in show(browser, never).one("section.judged").text
    assert show(browser, failed).select("section.judged") == []


def test_a_member_dismisses_takes_back_and_confirms(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    member = server.sign_in("member")
    form = show(member, deploy).one("details.review form")
    assert form["action"] == f"{PAGE}/{deploy.id}/review"
    assert [b["value"] for b in form.select("button")] == ["dismiss", "confirm"]
    said = {"decision": "dismiss", "note": "The provider\r\nwas slow"}
    answer = member.post(form["action"] + "?env=production", data=said)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}/{deploy.id}?env=production"
    [row] = server.rows("select decision, note, actor from impact_reviews")
    assert (row["decision"], row["note"]) == ("dismiss", "The provider\nwas slow")
    page = show(member, deploy)
    assert page.one("section.judged.dismissed b.verdict.dismissed").text.startswith("dismissed")
    told = page.one("div.said")
    assert told.one("bdi").text == row["actor"]
    assert told.one("q").raw_text == "The provider\nwas slow"
    back = told.one("form")
    assert back.one("button")["name"] == "decision"
    # a body without it takes nothing back
    assert member.post(back["action"]).status_code == 400
    assert len(server.rows("select * from impact_reviews")) == 1
    assert member.post(back["action"], data={"decision": ""}).status_code == 303
    assert server.rows("select * from impact_reviews") == []
    assert member.post(form["action"], data={"decision": "confirm"}).status_code == 303
    assert show(member, deploy).one("div.said b").text == "Confirmed"


def test_a_viewer_reads_what_was_said_and_says_nothing(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    assert (
        server.sign_in("member")
        .post(f"{PAGE}/{deploy.id}/review", data={"decision": "dismiss"})
        .status_code
        == 303
    )
    viewer = server.sign_in("viewer")
    page = show(viewer, deploy)
    assert page.one("div.said b").text == "Dismissed"
    assert page.select("div.said form") == page.select("details.review") == []
    assert viewer.post(f"{PAGE}/{deploy.id}/review", data={}).status_code == 403
    assert len(server.rows("select * from impact_reviews")) == 1


def test_a_bad_review_is_refused(server: Server) -> None:
    deploy = old_deploy(server)
    add_verdict(server, deploy)
    for bad in ({"decision": "maybe"}, {"decision": "dismiss", "note": "x" * 2001}):
        answer = server.sign_in("member").post(f"{PAGE}/{deploy.id}/review", data=bad)
        assert answer.status_code == 400
    assert server.rows("select * from impact_reviews") == []


def test_another_projects_verdict_is_not_reviewed(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    theirs = add_deploy(server, project="other", deployed_at=OLD)
    answer = server.sign_in().post(f"{PAGE}/{theirs.id}/review", data={"decision": "dismiss"})
    assert answer.status_code == 404
    assert server.rows("select * from impact_reviews") == []


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_a_sender_writes_becomes_markup(server: Server, text: str) -> None:
    deploy = old_deploy(server)
    impact = make_impact(
        deploy,
        endpoints=(make_endpoint(name=text),),
        errors=(make_error(exception_class=text, message=text, culprit=text),),
        confounders=(Confounder(7, text, text, OLD),),
    )
    add_verdict(server, deploy, impact)
    server.sign_in("member").post(
        f"{PAGE}/{deploy.id}/review", data={"decision": "confirm", "note": text}
    )
    answer = server.sign_in().get(f"{PAGE}/{deploy.id}")
    page = parse_html(answer.text)
    assert page.one("table.impacts th a").raw_text == text
    assert page.one("div.said q").raw_text == text
    assert [script["src"][:8] for script in page.select("script")] == ["/static/"]
    assert page.select("style") == page.select("img") == []
    assert not any(name.startswith("on") for e in page.walk() for name in e.attributes)
    # within a sentence a name must not turn the rest of it around
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.one("section.judged ul.reasons").raw_text
