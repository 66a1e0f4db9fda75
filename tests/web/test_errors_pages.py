"""The list of errors and the page of one: what stands there, what buttons do, what cannot run."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.storage.connection import Connection
from tests import factories
from tests.conftest import Server
from tests.domain import stack_traces
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_MARKUP, HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def add_error(server: Server, **fields: Any) -> str:
    """Posts an error; the id of its group."""
    body = {"exception_class": "Oops", "message": "it broke", **fields}
    if isinstance(body.get("at"), int):
        body["timestamp"] = to_rfc3339(body.pop("at"))
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    answer = server.http.post("/ingest/errors", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    group_id: str = answer.json()["id"]
    return group_id


def look(browser: httpx2.Client, path: str = "", status: int = 200, **query: str) -> Element:
    answer = browser.get(f"/p/default/errors{path}", params=query)
    assert answer.status_code == status, answer.text
    return parse_html(answer.text)


def classes(page: Element) -> list[str]:
    return [link.text for link in page.select("table.errors th[scope=row] a")]


def test_an_empty_project_shows_the_command_that_fills_it(server: Server) -> None:
    page = look(server.sign_in("viewer"))
    command = page.one(".empty .command").raw_text
    assert f"{server.url}/ingest/errors" in command
    assert page.select(".filters") == []
    assert [e.text for e in page.select(".bar [aria-current]")] == ["Errors"]


def test_a_row_says_what_where_how_often_and_since_when(server: Server) -> None:
    add_error(server, at=START - 2 * HOUR, service="shop", env="staging")
    trace = stack_traces.RUBY.splitlines()
    group_id = add_error(server, exception_class="Late", at=START - HOUR, backtrace=trace)
    for _ in range(2):
        add_error(server, exception_class="Late", backtrace=trace, message="it\nfails")
    page = look(server.sign_in("viewer"))
    assert classes(page) == ["Late", "Oops"]
    row = page.one(f"#e{group_id}")
    assert row.one("a")["href"] == f"/p/default/errors/{group_id}"
    assert row.one(".message").text == "it"
    assert row.one(".culprit").text == "app/models/cart.rb in total"
    assert row.one(".times").text == "3"
    assert row.one(".env").text == "production"
    assert row.one("svg path")["d"].startswith("M0 ")
    assert [time.text for time in row.select("time")] == ["9 Oct, 08:53", "9 Oct, 07:53"]
    seen = [time["datetime"] for time in row.select("time")]
    assert seen == [to_rfc3339(START), to_rfc3339(START - HOUR)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["New", "Other"]),
        ({"env": "staging"}, ["Other"]),
        ({"service": "default"}, ["New"]),
        ({"range": "7d"}, ["New", "Other", "Old"]),
        ({"range": "7d", "state": "resolved"}, ["Old"]),
        ({"range": "7d", "state": "open", "service": "shop"}, ["Other"]),
        ({"q": "OTHER"}, ["Other"]),
        ({"q": "nobody"}, []),
        ({"from": to_rfc3339(START - 4 * DAY), "to": to_rfc3339(START - DAY)}, ["Old"]),
        ({"from": to_rfc3339(START - 9 * DAY), "to": to_rfc3339(START - 5 * DAY)}, []),
    ],
)
def test_filters(server: Server, query: dict[str, Any], expected: list[str]) -> None:
    old = add_error(server, exception_class="Old", at=START - 3 * DAY)
    add_error(server, exception_class="Other", at=START - HOUR, service="shop", env="staging")
    add_error(server, exception_class="New")
    browser = server.sign_in("member")
    browser.post(f"/p/default/errors/{old}/state", data={"state": "resolved"})
    assert classes(look(browser, **query)) == expected


def test_counts_are_of_the_time_and_the_env(server: Server) -> None:
    for env, at in (("production", START), ("staging", START), ("production", START - 2 * DAY)):
        add_error(server, env=env, at=at)
    browser = server.sign_in("viewer")
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "2"),
        ({"range": "7d"}, "3"),
        ({"env": "staging"}, "1"),
    ]
    for query, count in cases:
        assert look(browser, **query).one(".times").text == count


def test_no_match_says_when_the_last_one_was(server: Server) -> None:
    add_error(server, at=START - 5 * DAY)
    page = look(server.sign_in("viewer"))
    nothing = page.one(".nothing")
    assert nothing.one("time")["datetime"] == to_rfc3339(START - 5 * DAY)
    assert nothing.one("a")["href"] == "/p/default/errors?range=90d"


@pytest.mark.parametrize("query", [{"state": "gone"}, {"range": "5h"}, {"cursor": "x"}])
def test_filters_that_cannot_be_are_refused(server: Server, query: dict[str, Any]) -> None:
    look(server.sign_in("viewer"), status=400, **query)


def test_pages_of_the_list(server: Server) -> None:
    errors = [
        {"exception_class": f"E{n}", "message": "m", "timestamp": to_rfc3339(START - n * MINUTE)}
        for n in range(60)
    ]
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    server.http.post("/ingest/errors/batch", json={"errors": errors}, headers=headers)
    browser = server.sign_in("viewer")
    page = look(browser)
    assert classes(page) == [f"E{n}" for n in range(30)]
    older = parse_html(browser.get(page.one("a[rel=next]")["href"]).text)
    assert classes(older) == [f"E{n}" for n in range(30, 60)]
    assert older.select("a[rel=next]") == []


def test_the_page_of_an_error(server: Server) -> None:
    deploy = add_deploy(server, service="shop", version="v7", deployed_at=START - 2 * HOUR)
    add_deploy(server, service="shop", version="v8", deployed_at=START - HOUR)
    group_id = add_error(
        server,
        at=START - HOUR - MINUTE,
        service="shop",
        git_sha="abc1234",
        version="v7",
        backtrace=stack_traces.PYTHON,
        trace_id=TRACE,
        user_id=7,
        request_id="r-9",
        params={"id": 1, "nested": {"a": [1]}, "token": "t"},
        context={"host": "web-1"},
        source_context={
            "file": "cart.py",
            "lineno": 10,
            "pre_context": ["def total():"],
            "context_line": "    return parse(x)",
            "post_context": [""],
        },
    )
    page = look(server.sign_in("viewer"), f"/{group_id}")
    article = page.one("article.error")
    assert article.one("h1").text == "Oops"
    assert article.one("p.crumb a")["href"] == "/p/default/errors"
    assert article.one("p.facts .mark").text == "open"
    assert article.one(".lead a")["href"] == f"/p/default/deploys/{deploy.id}"
    assert article.one(".lead a").text == "v7"
    trace_link = article.one("a[href^=/p/default/traces/]")
    assert trace_link["href"] == f"/p/default/traces/{TRACE}"
    own = [line.text for line in article.select(".backtrace .own")]
    assert own == ['File "/app/shop/cart.py", line 10, in total', "return parse(token)"]
    assert article.one(".source .it").text == "10 return parse(x)"
    pairs = {term.text for term in article.select("dl.pairs dt")}
    assert pairs == {"id", "nested", "token", "host"}
    assert "[masked]" in article.raw_text
    [release] = article.select(".releases tbody tr")
    assert release.one("th").text == "v7"
    assert release.one("td[data-label=Times]").text == "1"
    assert article.select("#occurrence p.hint") == []
    assert article.one("#chart-occurrences .summary").text == "1 in all"
    assert "v8" in article.one(".markers").text
    assert article.select("form") == []


def test_a_release_leads_to_its_deploy(server: Server) -> None:
    group_id = add_error(server, version="v7")
    add_error(server, version="v8")

    def match(connection: Connection) -> None:
        connection.execute("update releases set deploy_id = 77 where version = 'v7'")

    server.run(server.running.context.database.write(match))
    page = look(server.sign_in("viewer"), f"/{group_id}", env="production")
    links = [(link.text, link["href"]) for link in page.select(".releases th a")]
    assert links == [("v7", "/p/default/deploys/77?env=production")]
    assert len(page.select(".releases tbody tr")) == 2


def test_the_page_says_which_occurrences_are_kept(server: Server) -> None:
    for _ in range(11):
        group_id = add_error(server)
    article = look(server.sign_in("viewer"), f"/{group_id}").one("article.error")
    assert article.one("#occurrence .end").text.endswith("10 of 10 that are kept")
    [kept] = [p.text for p in article.select("#occurrence p.hint") if "kept whole" in p.text]
    assert kept.startswith("Of each minute the first 10 are kept whole, and the first of each")


def test_a_commit_is_no_version(server: Server) -> None:
    sha = "c0ffee12" * 5
    article = look(server.sign_in("viewer"), f"/{add_error(server, git_sha=sha)}")
    names = [name.text for name in article.select("#occurrence dl.fields dt")]
    assert names == ["Environment", "Commit"]
    assert article.select("#occurrence dl.fields dd")[1].text == sha
    assert article.one(".releases th[scope=row] code").text == "c0ffee1"


def test_a_step_that_has_just_begun_does_not_look_like_the_end(server: Server) -> None:
    server.clock.instant = START - START % (10 * MINUTE) + MINUTE
    for at in (server.clock() - 9 * MINUTE, server.clock() - 8 * MINUTE, server.clock()):
        group_id = add_error(server, at=at)
    browser = server.sign_in("viewer")

    def counts() -> list[str]:
        page = look(browser, f"/{group_id}", range="24h")
        rows = page.select("#chart-occurrences tbody tr")
        return [row.select("td")[1].text for row in rows][-2:]

    assert counts() == ["0", "2"]
    server.clock.move(5 * MINUTE)
    assert counts() == ["2", "1"]


def test_older_and_newer_occurrences(server: Server) -> None:
    for n in range(3):
        server.clock.move(MINUTE)
        group_id = add_error(server, user_id=f"user-{n}", message=f"broke {n}")
    browser = server.sign_in("viewer")
    page = look(browser, f"/{group_id}")
    assert "user-2" in page.one("#occurrence").text
    assert page.select("#occurrence a[rel=next]") == []
    older = page.one("#occurrence a[rel=prev]")["href"]
    page = parse_html(browser.get(older).text)
    assert "user-1" in page.one("#occurrence").text
    assert "2 of 3" in page.one("#occurrence .end").text
    assert page.one("#occurrence pre.whole").text == "broke 1"
    assert page.one("#occurrence a[rel=next]")["href"].startswith(f"/p/default/errors/{group_id}?")


@pytest.mark.parametrize("path", ["/1", "/x", "/99999999999999999999"])
def test_what_is_not_there_is_not_found(server: Server, path: str) -> None:
    look(server.sign_in("viewer"), path, status=404)


@pytest.mark.parametrize("occurrence", ["1", "x"])
def test_an_occurrence_that_is_not_kept_is_not_found(server: Server, occurrence: str) -> None:
    group_id = add_error(server)
    look(server.sign_in("viewer"), f"/{group_id}", status=404, occurrence=occurrence)


def test_another_projects_error_is_not_found(server: Server) -> None:
    group_id = add_error(server)
    server.run(factories.insert_project(server.running.context, "other"))
    browser = server.sign_in("admin", ("default", "other"))
    assert browser.get(f"/p/other/errors/{group_id}").status_code == 404
    answer = browser.post(f"/p/other/errors/{group_id}/state", data={"state": "ignored"})
    assert answer.status_code == 404
    assert server.rows("select state from error_groups") == [{"state": "open"}]


@pytest.mark.parametrize(
    ("state", "action"),
    [("resolved", "error.resolve"), ("ignored", "error.ignore")],
)
def test_buttons_change_the_state_and_leave_a_trail(
    server: Server, state: str, action: str
) -> None:
    group_id = add_error(server)
    browser = server.sign_in("member")
    answer = browser.post(
        f"/p/default/errors/{group_id}/state?env=production", data={"state": state}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/p/default/errors/{group_id}?env=production"
    page = look(browser, f"/{group_id}")
    assert page.one("p.facts .mark").text == state
    assert [button.text for button in page.select(".states button")][-1] == "Open again"
    [entry] = server.rows("select action, subject from audit where action like 'error.%'")
    assert entry == {"action": action, "subject": f"error {group_id}"}
    assert look(browser).one(f"#e{group_id} .mark").text == state
    browser.post(f"/p/default/errors/{group_id}/state", data={"state": "open"})
    assert server.rows("select state from error_groups") == [{"state": "open"}]


def test_a_state_that_is_none_is_refused(server: Server) -> None:
    group_id = add_error(server)
    browser = server.sign_in("member")
    answer = browser.post(f"/p/default/errors/{group_id}/state", data={"state": "gone"})
    assert answer.status_code == 400
    assert server.rows("select state from error_groups") == [{"state": "open"}]


def test_a_resolved_error_that_comes_back_names_the_deploy(server: Server) -> None:
    group_id = add_error(server, service="shop")
    browser = server.sign_in("member")
    browser.post(f"/p/default/errors/{group_id}/state", data={"state": "resolved"})
    server.clock.move(HOUR)
    deploy = add_deploy(server, service="shop", version="v9", deployed_at=START + HOUR)
    server.clock.move(HOUR)
    add_error(server, service="shop")
    page = look(browser, f"/{group_id}")
    assert page.one("p.facts .mark").text == "regressed"
    link = page.one(".notice a")
    assert (link.text, link["href"]) == ("v9", f"/p/default/deploys/{deploy.id}")
    assert look(browser).one(f"#e{group_id} .mark").text == "regressed"


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_that_a_sender_wrote_runs(server: Server, text: str) -> None:
    group_id = add_error(
        server,
        exception_class=text,
        message=text,
        service=text[:100],
        env=text[:100],
        version=text,
        git_sha=text,
        fingerprint=text,
        user_id=text,
        request_id=text,
        backtrace=[text, f'  File "/{text[:50]}", line 1, in f'],
        params={text: text},
        context=[text],
        source_context={"file": text, "lineno": 1, "context_line": text},
    )
    browser = server.sign_in("member")
    for path in ("", f"/{group_id}"):
        page = look(browser, path)
        assert [e["src"] for e in page.select("script")] == [
            e["src"] for e in page.select("head script[src^=/static/]")
        ]
        assert page.select("style") == []
        assert page.select("img") == []
        assert not [e for e in page.walk() if "onerror" in e.attributes or "style" in e.attributes]
        assert not [a for a in page.select("a[href]") if a["href"].startswith("javascript:")]
        assert text.split("\n")[0][:40].strip() in page.raw_text


def test_hostile_markup_stands_as_text(server: Server) -> None:
    group_id = add_error(server, message=HOSTILE_MARKUP, params={"a": HOSTILE_MARKUP})
    page = look(server.sign_in("viewer"), f"/{group_id}")
    assert page.one(".title").text == HOSTILE_MARKUP
    assert page.one("dl.pairs dd").text == HOSTILE_MARKUP
