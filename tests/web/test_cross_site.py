"""No page of another site makes a browser change anything here."""

import secrets
from pathlib import Path

import httpx2
import pytest

from miniapm.web.auth import SESSION_COOKIE
from miniapm.web.routes import ROUTES, Route
from tests import factories
from tests.conftest import FakeClock, Server, start_server

UNSAFE = [route for route in ROUTES if route.method not in ("GET", "HEAD")]
REFUSAL = "This change was asked for by a page of another site."


def fill(path: str) -> str:
    return path.replace("{slug}", "default").replace("{id}", "1").replace("{key_id}", "1")


@pytest.mark.parametrize("route", UNSAFE, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_that_changes_refuses_other_sites(server: Server, route: Route) -> None:
    browser = server.sign_in()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = browser.request(route.method, fill(route.path), headers=headers)
        assert (answer.status_code, REFUSAL in answer.text) == (403, True)
    own = browser.request(route.method, fill(route.path), headers={"Sec-Fetch-Site": "same-origin"})
    assert REFUSAL not in own.text


def test_the_table_has_routes_that_change() -> None:
    assert len(UNSAFE) > 10


@pytest.fixture
def browser(server: Server) -> httpx2.Client:
    return server.sign_in()


def makes_project(browser: httpx2.Client, headers: list[tuple[str, str]]) -> bool:
    """Whether a form with these headers is obeyed."""
    name = f"shop {secrets.token_hex(8)}"
    answer = browser.post("/projects", data={"name": name}, headers=headers)
    assert answer.status_code in (303, 403)
    return answer.status_code == 303


@pytest.mark.parametrize(
    ("site", "obeyed"),
    [
        ("same-origin", True),
        ("none", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
        ("Same-Origin", False),
        ("same-origin, cross-site", False),
    ],
)
def test_sec_fetch_site_decides(browser: httpx2.Client, site: str, obeyed: bool) -> None:
    assert makes_project(browser, [("Sec-Fetch-Site", site)]) == obeyed
    # it counts even where the Origin says otherwise
    own = str(browser.base_url).rstrip("/")
    assert makes_project(browser, [("Sec-Fetch-Site", site), ("Origin", own)]) == obeyed


def test_one_bad_header_among_good_ones_is_enough(browser: httpx2.Client) -> None:
    own = str(browser.base_url).rstrip("/")
    sites = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]
    assert not makes_project(browser, sites)
    assert not makes_project(browser, [("Origin", own), ("Origin", "https://evil.example")])


def test_a_program_sends_neither_header(browser: httpx2.Client) -> None:
    assert makes_project(browser, [])


@pytest.mark.parametrize(
    ("origin", "host", "obeyed"),
    [
        ("http://apm.example.com:3000", "apm.example.com:3000", True),
        ("https://apm.example.com", "apm.example.com", True),
        ("https://apm.example.com", "APM.example.com", True),
        ("https://apm.example.com", "apm.example.com:443", True),
        ("http://apm.example.com", "apm.example.com:80", True),
        ("http://[::1]:3000", "[::1]:3000", True),
        ("http://apm.example.com", "apm.example.com:443", False),
        ("http://apm.example.com:3001", "apm.example.com:3000", False),
        ("http://apm.example.com", "apm.example.com:3000", False),
        ("https://other.example.com", "apm.example.com", False),
        ("https://apm.example.com.evil.example", "apm.example.com", False),
        ("https://evil.example/apm.example.com", "apm.example.com", False),
        ("https://apm.example.com@evil.example", "apm.example.com", False),
        ("https://apm.example.com", "evil.example", False),
        ("null", "apm.example.com", False),
        ("null", "null", False),
        ("", "", False),
        ("", "apm.example.com", False),
        ("//apm.example.com", "apm.example.com", False),
        ("file://apm.example.com", "apm.example.com", False),
        ("http://[", "apm.example.com", False),
        ("http://[x]:99999999", "[x]:99999999", True),
        ("\\\\", "apm.example.com", False),
    ],
)
def test_without_it_the_origin_must_be_the_host(
    browser: httpx2.Client, origin: str, host: str, obeyed: bool
) -> None:
    assert makes_project(browser, [("Origin", origin), ("Host", host)]) == obeyed


def test_the_public_address_counts_whatever_the_proxy_sends(
    tmp_path: Path, clock: FakeClock
) -> None:
    public = {"public_url": "https://apm.example.com"}
    for server in start_server(tmp_path / "miniapm.db", clock, server=public):
        token = server.run(factories.insert_session(server.running.context, "admin", ()))
        with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: token}) as browser:
            assert makes_project(browser, [("Origin", "https://apm.example.com")])
            assert makes_project(browser, [("Origin", "https://apm.example.com:443")])
            assert not makes_project(browser, [("Origin", "http://apm.example.com")])
            assert not makes_project(browser, [("Origin", "https://evil.example")])
            # the plain page of the same name may be anybody's on the way
            spoofed = [("Origin", "http://apm.example.com"), ("Host", "apm.example.com")]
            assert not makes_project(browser, spoofed)


def test_a_refused_change_stores_nothing(server: Server) -> None:
    browser = server.sign_in()
    browser.post(
        "/p/default/settings/keys",
        data={"name": "evil", "scope": "read"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert server.rows("select * from keys") == []
    browser.post("/logout", headers={"Sec-Fetch-Site": "same-site"})
    assert len(server.rows("select * from sessions")) == 1
