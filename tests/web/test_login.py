"""Signing in: by password, by link, and as the first admin."""

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from miniapm.clock import MINUTE, SECOND
from miniapm.exceptions import Busy, RateLimited
from miniapm.storage.passwords import DUMMY_HASH, hash_password, verify_password
from miniapm.web.passwords import MOST_WAITING, PasswordHashing
from miniapm.web.rate_limits import RateLimit
from tests.conftest import FakeClock, Server, start_server
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.markup import parse_html
from tests.web.people import PASSWORD, add_user, log_in, make_link

_LOGGERS = ("aiosqlite", "asyncio", "miniapm.web.pages.login", "miniapm.web.errors")


def first_admin(server: Server, token: str, **fields: str) -> httpx2.Response:
    form = {"name": "ada", "password": PASSWORD, "repeated": PASSWORD, "token": token, **fields}
    return server.http.post("/login/first", data=form)


def test_a_person_signs_in_and_goes_where_they_wanted(server: Server) -> None:
    add_user(server)
    away = server.http.get("/p/default/deploys?env=production")
    assert away.status_code == 303
    page = parse_html(server.http.get(away.headers["location"]).text)
    target = page.one("form[action=/login] input[name=next]")["value"]
    assert target == "/p/default/deploys?env=production"
    answer = server.http.post(
        "/login", data={"name": " ada ", "password": PASSWORD, "next": target}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, target)
    assert server.http.get(target).status_code == 200


@pytest.mark.parametrize("name", ["ada", "nobody", "", HOSTILE_MARKUP])
def test_a_wrong_name_and_a_wrong_password_look_the_same(server: Server, name: str) -> None:
    add_user(server)
    answer = log_in(server, name, "wrong password")
    page = parse_html(answer.text)
    assert answer.status_code == 403
    assert page.one("form [role=alert]").text == "The name or the password is wrong."
    assert page.one("input[name=name]")["value"] == name
    assert page.select("main script") == page.select("main img") == []
    assert "set-cookie" not in answer.headers
    assert server.rows("select * from sessions") == []


def test_a_signed_in_person_is_sent_on(server: Server) -> None:
    answer = server.sign_in().get("/login?next=/projects")
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a//evil.example",
        "/./evil",
        "/%2e%2E/evil",
        "/\tevil",
        "/a\r\nSet-Cookie: x=y",
        "javascript:alert(1)",
        "",
    ],
)
def test_only_a_path_of_ours_follows_a_sign_in(server: Server, target: str) -> None:
    add_user(server)
    answer = server.http.post("/login", data={"name": "ada", "password": PASSWORD, "next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_host_header_does_not_choose_where_a_sign_in_leads(server: Server) -> None:
    answer = server.http.get("/account", headers={"Host": "evil.example/p?x="})
    assert answer.headers["location"] == "/login?next=/account"


def test_while_nobody_has_an_account_there_is_no_form(server: Server) -> None:
    page = parse_html(server.http.get("/login").text)
    assert page.select("main form") == []
    assert "miniapm login-link" in page.one("main").text
    assert "miniapm serve" in page.one("main").text
    assert log_in(server, "", "").status_code == 403


# links


def test_a_link_is_used_up_by_its_button_only(server: Server) -> None:
    add_user(server)
    token = make_link(server, "ada")
    for _ in range(3):
        page = parse_html(server.http.get("/login", params={"token": token}).text)
    form = page.one("form[action=/login/link]")
    assert form.one("button").text == "Sign in as ada"
    assert len(server.rows("select * from login_links")) == 1
    answer = server.http.post("/login/link", data={"token": form.one("input")["value"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "ada" in server.http.get("/account").text
    assert server.rows("select * from login_links") == []
    assert server.http.post("/login/link", data={"token": token}).status_code == 403


def test_the_page_of_a_link_is_kept_nowhere(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    add_user(server)
    token = make_link(server, "ada")
    with caplog.at_level("DEBUG"):
        answer = server.http.get("/login", params={"token": token})
        server.http.post("/login/link", data={"token": token})
    assert answer.headers["cache-control"] == "no-store"
    # of several policies a browser takes the last: no path and no query leave this page
    assert answer.headers["referrer-policy"].split(", ")[-1] == "strict-origin"
    assert [a["href"] for a in parse_html(answer.text).select("a") if token in a["href"]] == []
    ours = [record.getMessage() for record in caplog.records if record.name in _LOGGERS]
    assert ours
    assert [message for message in ours if token in message] == []
    # uvicorn's access log, which would hold the address, goes nowhere
    assert not logging.getLogger("uvicorn.access").propagate


def test_void_links_look_the_same_whatever_was_wrong(server: Server) -> None:
    add_user(server)
    used = make_link(server, "ada")
    server.http.post("/login/link", data={"token": used})
    server.http.cookies.clear()
    old = make_link(server, "ada")
    server.clock.move(15 * MINUTE)
    orphan = make_link(server, None)
    answers = [
        server.http.get("/login", params={"token": token})
        for token in (used, old, orphan, "never-made", "")
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1
    assert "miniapm login-link NAME" in parse_html(answers[0].text).one("main").text
    for token in (used, old, orphan, "never-made", ""):
        for path in ("/login/link", "/login/first"):
            form = {"token": token, "name": "eve", "password": PASSWORD, "repeated": PASSWORD}
            server.clock.move(MINUTE)
            assert server.http.post(path, data=form).status_code == 403
    assert len(server.rows("select * from users")) == 1


def test_a_link_works_until_the_end_of_its_time(server: Server) -> None:
    add_user(server)
    token = make_link(server, "ada")
    server.clock.move(15 * MINUTE - 1)
    assert server.http.post("/login/link", data={"token": token}).status_code == 303


def test_a_users_link_makes_no_admin_and_an_admins_link_signs_nobody_in(server: Server) -> None:
    token = make_link(server, None)
    assert server.http.post("/login/link", data={"token": token}).status_code == 403
    add_user(server)
    assert first_admin(server, make_link(server, "ada"), name="eve").status_code == 403
    assert [row["name"] for row in server.rows("select name from users")] == ["ada"]


# the first admin


def test_the_first_admin_is_made_once(server: Server) -> None:
    token = make_link(server)
    spare = make_link(server)
    page = parse_html(server.http.get("/login", params={"token": token}).text)
    form = page.one("form[action=/login/first]")
    assert form.one("input[name=token]")["value"] == token
    answer = first_admin(server, token)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert server.http.get("/").headers["location"] == "/p/default/"
    [user] = server.rows("select name, role, password_hash from users")
    assert (user["name"], user["role"]) == ("ada", "admin")
    assert user["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(user["password_hash"], PASSWORD)
    [entry] = server.rows("select actor, action, subject, project_id from audit")
    assert entry == {
        "actor": "ada",
        "action": "user.create",
        "subject": "ada",
        "project_id": None,
    }
    assert first_admin(server, token, name="eve").status_code == 403
    assert first_admin(server, spare, name="eve").status_code == 403
    assert len(server.rows("select * from users")) == 1


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"password": "short", "repeated": "short"}, "password"),
        ({"repeated": "another password"}, "repeated"),
    ],
)
def test_a_bad_form_does_not_use_the_link_up(
    server: Server, fields: dict[str, str], fault: str
) -> None:
    token = make_link(server)
    answer = first_admin(server, token, **fields)
    page = parse_html(answer.text)
    assert answer.status_code == 400
    assert [p["id"] for p in page.select("p.fault")] == [f"fault-{fault}"]
    assert page.one(f"input[name={fault}]")["aria-describedby"] == f"fault-{fault}"
    assert page.select("input[value]")[0]["value"] == token
    assert [i.attributes.get("value") for i in page.select("input[type=password]")] == [None, None]
    assert server.rows("select * from users") == []
    assert first_admin(server, token).status_code == 303


def test_two_submits_at_once_make_one_admin(server: Server) -> None:
    tokens = [make_link(server), make_link(server)]

    def submit(number: int) -> int:
        form = {"name": f"admin-{number}", "password": PASSWORD, "repeated": PASSWORD}
        with httpx2.Client(base_url=server.url) as browser:
            return browser.post(
                "/login/first", data={**form, "token": tokens[number % 2]}
            ).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(submit, range(6)))
    assert statuses == [303, 403, 403, 403, 403, 403]
    assert len(server.rows("select * from users")) == 1
    assert len(server.rows("select * from sessions")) == 1


# how often


def test_attempts_are_limited_for_each_address(tmp_path: Path, clock: FakeClock) -> None:
    for server in start_server(tmp_path / "m.db", clock, limits={"logins_per_minute": 3}):
        add_user(server)

        def attempt(address: str, password: str | None = None, server: Server = server) -> int:
            with httpx2.Client(base_url=server.url) as browser:
                answer = browser.post(
                    "/login",
                    data={"name": "ada", "password": password or "wrong"},
                    headers={"X-Forwarded-For": address},
                )
            assert answer.status_code != 429 or answer.headers["retry-after"] == "20"
            return answer.status_code

        assert [attempt("192.0.2.1") for _ in range(4)] == [403, 403, 403, 429]
        assert attempt("192.0.2.1", PASSWORD) == 429
        assert attempt("192.0.2.2") == 403
        # one household has a whole /64
        assert [attempt(f"2001:db8::{n}") for n in (1, 2, 3, 4)] == [403, 403, 403, 429]
        assert attempt("2001:db8:0:1::1") == 403
        assert attempt("::ffff:192.0.2.1") == 429
        clock.move(20 * SECOND)
        assert attempt("192.0.2.1", PASSWORD) == 303
        assert attempt("192.0.2.1", PASSWORD) == 429


@pytest.mark.parametrize("path", ["/login", "/login/link", "/login/first", "/account/password"])
def test_every_form_that_takes_a_secret_is_limited(server: Server, path: str) -> None:
    browser = server.sign_in()
    statuses = [browser.post(path, data={"token": "x"}).status_code for _ in range(11)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:10]


def test_the_table_of_addresses_is_bounded(clock: FakeClock) -> None:
    limit = RateLimit(1, clock, most_buckets=3)
    for number in range(10):
        limit.take(f"192.0.2.{number}")
    assert len(limit) == 3
    with pytest.raises(RateLimited):
        limit.take("192.0.2.9")


def test_a_clock_that_is_set_back_gives_no_attempts(clock: FakeClock) -> None:
    limit = RateLimit(1, clock)
    limit.take("a")
    clock.move(-MINUTE)
    with pytest.raises(RateLimited):
        limit.take("a")
    clock.move(MINUTE)
    limit.take("a")


# passwords


def test_a_hash_is_argon2id_and_salted() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert re.match(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", first)
    assert first != second
    assert verify_password(first, PASSWORD)
    assert not verify_password(first, PASSWORD + " ")


@pytest.mark.parametrize("stored", [None, "", "no password", "$argon2id$v=19$m=19456"])
def test_nothing_matches_what_is_no_hash(stored: str | None) -> None:
    assert not verify_password(stored, "")
    assert not verify_password(stored, PASSWORD)


def test_an_unknown_name_costs_the_hash_of_a_wrong_password() -> None:
    assert extract_parameters(DUMMY_HASH) == extract_parameters(hash_password(PASSWORD))
    # a mismatch is only known once the whole hash was computed
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(DUMMY_HASH, PASSWORD)


def test_hashing_leaves_the_event_loop_free_and_refuses_a_crowd() -> None:
    async def crowd() -> tuple[int, int, int]:
        hashing = PasswordHashing()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        outcomes = await asyncio.gather(
            *(hashing.verify(None, PASSWORD) for _ in range(MOST_WAITING + 5)),
            return_exceptions=True,
        )
        ticking.cancel()
        return ticks, outcomes.count(False), sum(isinstance(o, Busy) for o in outcomes)

    ticks, done, refused = asyncio.run(crowd())
    assert (done, refused) == (MOST_WAITING, 5)
    assert ticks > MOST_WAITING
