"""Telling people: webhooks made, tried and deleted in the browser; badges made and shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY
from miniapm.domain.webhooks.values import EVENTS
from tests import factories
from tests.conftest import FakeClock, Server, start_server
from tests.receiver import Receiver, receiving
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.markup import Element, parse_html

PAGE = "/p/default/settings/webhooks"
BADGES = "/p/default/settings/badges"


@pytest.fixture
def server(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    yield from start_server(tmp_path / "miniapm.db", clock, webhooks={"allow_private": True})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def page_of(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(f"{PAGE}{query}")
    assert answer.status_code == 200
    return parse_html(answer.text)


def make_webhook(browser: httpx2.Client, url: str, **fields: Any) -> httpx2.Response:
    return browser.post(PAGE, data={"url": url, "event": list(EVENTS), "format": "", **fields})


def deploy(server: Server, **fields: object) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    body = {"git_sha": "abc1234def", "version": "v1.2.3", **fields}
    assert server.http.post("/ingest/deploys", json=body, headers=headers).status_code == 202


def test_the_settings_lead_there(server: Server) -> None:
    page = parse_html(server.sign_in("viewer").get("/p/default/settings").text)
    assert page.one("#telling a")["href"] == PAGE


def test_a_webhook_is_made_tried_and_deleted(server: Server, receiver: Receiver) -> None:
    browser = server.sign_in()
    form = page_of(browser).one("form#new-webhook")
    checked = [box["value"] for box in form.select("input[type=checkbox][checked]")]
    assert checked == list(EVENTS)
    answer = browser.post(form["action"], data={"url": receiver.url, "event": checked})
    assert answer.headers["cache-control"] == "no-store"
    made = parse_html(answer.text)
    secret = made.one("code#secret").text
    [row] = server.rows("select * from webhooks")
    assert (row["secret"], row["url"]) == (secret, receiver.url)
    assert secret not in browser.get(PAGE).text

    tried = browser.post(made.one("form[action^=/p/default/settings/webhooks]")["action"])
    assert tried.status_code == 303
    assert tried.headers["location"] == f"{PAGE}#webhook-{row['id']}"
    [call] = receiver.calls
    assert call.is_signed_with(secret)
    assert call.json["data"]["page"] == f"{server.url}/p/default/"
    [line] = page_of(browser).select(".deliveries tbody tr")
    cells = [cell.text for cell in line.select("td")]
    assert cells[1:3] == ["webhook.test", "delivered"]
    assert cells[3].startswith("204 in ")

    assert browser.post(f"{PAGE}/{row['id']}/delete").status_code == 303
    assert server.rows("select * from webhooks") == []
    assert server.rows("select * from webhook_deliveries") == []
    acts = [one["action"] for one in server.rows("select action from audit order by id")]
    assert acts == ["webhook.create", "webhook.delete"]


def test_a_secret_is_rotated(server: Server, receiver: Receiver) -> None:
    browser = server.sign_in()
    old = parse_html(make_webhook(browser, receiver.url).text).one("code#secret").text
    [row] = server.rows("select id from webhooks")
    page = page_of(browser)
    form = page.one(f"form[action={PAGE}/{row['id']}/rotate]")
    assert "signs, too" not in page.one("article.webhook").text
    answer = browser.post(form["action"])
    assert answer.headers["cache-control"] == "no-store"
    new = parse_html(answer.text).one("code#secret").text
    assert new != old
    assert old not in answer.text
    browser.post(f"{PAGE}/{row['id']}/test")
    [call] = receiver.calls
    assert call.is_signed_with(new)
    assert call.is_signed_with(old)
    assert "Its old secret signs, too, until" in page_of(browser).one("article.webhook").text
    server.clock.move(DAY)
    assert "signs, too" not in page_of(server.sign_in()).one("article.webhook").text
    assert server.sign_in("member").post(form["action"]).status_code == 403
    [stored] = server.rows("select secret from webhooks")
    assert stored["secret"] == new


def test_what_happens_is_told_by_the_running_server(server: Server, receiver: Receiver) -> None:
    make_webhook(server.sign_in(), receiver.url)
    deploy(server)
    [call] = receiver.wait(1)
    assert call.json["data"]["deploy"]["version"] == "v1.2.3"
    page = call.json["data"]["page"]
    assert page.startswith(f"{server.url}/p/default/deploys/")
    assert server.sign_in("viewer").get(page).status_code == 200


def test_a_failed_test_says_why(server: Server) -> None:
    browser = server.sign_in()
    with receiving((404, {})) as receiver:
        make_webhook(browser, receiver.url)
        [row] = server.rows("select id from webhooks")
        browser.post(f"{PAGE}/{row['id']}/test")
    [line] = page_of(browser).select(".deliveries tbody tr")
    assert "failed: it answers 404" in line.text


def test_faults_stand_beside_the_form(server: Server) -> None:
    answer = make_webhook(server.sign_in(), "http://u@a.example", event=[], format="smoke")
    assert answer.status_code == 400
    form = parse_html(answer.text).one("form#new-webhook")
    assert "must not name a user" in form.one("#fault-url").text
    assert "must be at least one" in form.one("#fault-event").text
    assert form.one("input[name=url]")["value"] == "http://u@a.example"
    bad = make_webhook(server.sign_in(), "https://a.example", format="smoke")
    assert "must be json or slack" in parse_html(bad.text).one("#fault-format").text
    assert server.rows("select * from webhooks") == []


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_only_admins_see_webhooks(server: Server, role: Any, receiver: Receiver) -> None:
    make_webhook(server.sign_in(), receiver.url)
    browser = server.sign_in(role)
    page = page_of(browser)
    assert page.select(".webhook") == []
    assert page.select("form#new-webhook") == []
    assert receiver.url not in page.raw_text
    [row] = server.rows("select id from webhooks")
    for path in (PAGE, f"{PAGE}/{row['id']}/test", f"{PAGE}/{row['id']}/delete", BADGES):
        assert browser.post(path).status_code == 403


def test_a_webhook_of_another_project_is_not_there(server: Server, receiver: Receiver) -> None:
    browser = server.sign_in()
    make_webhook(browser, receiver.url)
    server.run(factories.insert_project(server.running.context, "other"))
    [row] = server.rows("select id from webhooks")
    for act in ("test", "delete"):
        path = f"/p/other/settings/webhooks/{row['id']}/{act}"
        assert browser.post(path).status_code == 404
    assert len(server.rows("select * from webhooks")) == 1
    assert receiver.calls == []


def badge_of(server: Server, browser: httpx2.Client, env: str = "production") -> str:
    answer = browser.post(BADGES, data={"do": "make", "env": env})
    assert answer.status_code == 303
    rows = {row["env"]: row["token"] for row in server.rows("select env, token from badges")}
    return str(rows[env])


def test_a_badge_is_made_shown_changed_and_removed(server: Server) -> None:
    browser = server.sign_in()
    deploy(server)
    token = badge_of(server, browser)
    assert len(token) >= 40
    shown = page_of(server.sign_in("viewer")).one(".badges")
    assert shown.one("img")["src"] == f"/badge/{token}.svg"
    assert shown.one("code").text == f"{server.url}/badge/{token}.svg"
    assert server.http.get(f"/badge/{token}.svg").status_code == 200
    other = badge_of(server, browser)
    assert other != token
    assert server.http.get(f"/badge/{token}.svg").status_code == 404
    assert server.http.get(f"/badge/{other}.json").status_code == 200
    browser.post(BADGES, data={"do": "delete", "env": "production"})
    assert server.http.get(f"/badge/{other}.json").status_code == 404
    assert server.rows("select * from badges") == []


def test_a_badge_needs_an_environment(server: Server) -> None:
    browser = server.sign_in()
    assert browser.post(BADGES, data={"do": "make", "env": "nope"}).status_code == 404
    assert browser.post(BADGES, data={"do": "delete", "env": "nope"}).status_code == 404
    assert browser.post(BADGES, data={"do": "eat", "env": "nope"}).status_code == 400
    assert server.rows("select * from badges") == []


def test_hostile_environments_are_text(server: Server) -> None:
    env = HOSTILE_MARKUP.partition("{{")[0]
    deploy(server, env=env)
    browser = server.sign_in()
    badge_of(server, browser, env)
    page = page_of(browser)
    assert page.select("script") == page_of(browser, "?sent=all").select("script")
    assert page.one(".badges tbody th").text == " ".join(env.split())
    assert page.select("[onerror]") == []
