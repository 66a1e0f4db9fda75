"""The whole product in a real browser: from the printed link to a deploy that appears by itself."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Served:
    address: str
    link: str
    database: Path

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(sql).fetchall()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """`miniapm serve` in an empty directory, with what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "miniapm", "serve", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if "/login?token=" in line:
                break
        address = re.search(r"http://\S+:\d+", printed)
        link = re.search(r"http://\S+/login\?token=\S+", printed)
        assert address is not None, printed
        assert link is not None, printed
        yield Served(address[0], link[0], tmp_path / "miniapm.db")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        process.stdout.close()


@dataclass(frozen=True)
class Look:
    scheme: Literal["light", "dark"]
    width: int


LOOKS = [Look("light", 1280), Look("dark", 1280), Look("light", 390)]


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look.scheme}-{look.width}")
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page on which an error in a script or a broken policy fails the test."""
    look: Look = request.param
    context = browser.new_context(
        color_scheme=look.scheme,
        viewport={"width": look.width, "height": 800},
        timezone_id="Europe/Berlin",
    )
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield opened
    context.close()
    # a form that is answered 400 is told on the console as well; nothing else may be
    assert [c for c in complaints if "status of 400" not in c] == []


def sign_in_first(page: Page, served: Served) -> None:
    page.goto(served.link)
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password, at least").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url(re.compile("/p/default/$"))


def make_key(page: Page) -> str:
    """A key made on the settings page; the curl that it shows, whole."""
    page.get_by_role("link", name="Make a key").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("hook")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#secret")).to_have_text(re.compile(r"^proj_\w{36}$"))
    command = page.locator("#send-curl code").last.text_content()
    assert command is not None
    return command


def open_menu(page: Page) -> None:
    """On a phone, what the bar holds back."""
    menu = page.locator(".bar .menu summary")
    if menu.is_visible():
        menu.click()


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.slow
def test_from_the_link_to_a_deploy_that_appears_by_itself(
    served: Served, page: Page, program: Callable[[str], str]
) -> None:
    program("curl")
    sign_in_first(page, served)
    expect(page.get_by_role("heading", name="No telemetry has arrived yet")).to_be_visible()
    open_menu(page)
    page.get_by_role("link", name="Deploys", exact=True).click()
    expect(page.get_by_role("heading", name="No deploy has arrived yet")).to_be_visible()
    command = make_key(page)
    assert served.address in command

    page.goto(f"{served.address}/p/default/deploys")
    expect(page.get_by_text("Listening")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    row = page.locator(".timeline tr[id]")
    expect(row).to_have_count(1)
    expect(row.get_by_role("link", name="v1.2.3")).to_be_visible()
    assert page.evaluate("window.notReloaded") is True
    assert no_sideways_scroll(page)

    row.get_by_role("link", name="v1.2.3").click()
    page.locator("summary", has_text="Edit").click()
    page.get_by_role("textbox", name="Deployer").fill("ben")
    page.get_by_role("textbox", name="Environment").fill("${ENV}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field.wrong")).to_contain_text("not filled in")
    page.get_by_role("textbox", name="Environment").fill("staging")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("v1.2.3")
    assert served.rows("select env, deployer from deploys") == [("staging", "ben")]
    page.locator(".notice").get_by_role("button", name="Undo").click()
    expect(page.locator(".facts")).to_contain_text("production")
    assert served.rows("select env, deployer from deploys") == [("production", "me")]
    assert no_sideways_scroll(page)

    page.get_by_role("button", name="Hide").click()
    expect(page.locator(".notice").first).to_be_visible()
    assert served.rows("select count(*) from deploys where hidden_at is not null") == [(1,)]
    page.locator(".notice").get_by_role("button", name="Undo").first.click()
    assert served.rows("select count(*) from deploys where hidden_at is null") == [(1,)]

    open_menu(page)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{served.address}/p/default/deploys")
    expect(page).to_have_url(re.compile("/login"))


@pytest.mark.slow
@pytest.mark.parametrize("with_scripts", [True, False])
def test_on_a_phone_every_page_is_in_the_menu(
    served: Served, browser: Browser, with_scripts: bool
) -> None:
    context = browser.new_context(
        java_script_enabled=with_scripts, viewport={"width": 390, "height": 800}
    )
    try:
        page = context.new_page()
        sign_in_first(page, served)
        for name in ("Overview", "Deploys", "Endpoints", "Traces", "Errors", "Settings"):
            link = page.get_by_role("navigation", name="Pages").get_by_role("link", name=name)
            expect(link).to_be_hidden()
            page.locator(".bar .menu summary").click()
            expect(link).to_be_in_viewport(ratio=1)
            link.click()
            expect(page.locator(".bar [aria-current]")).to_have_text(name)
        page.locator(".bar .menu summary").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
    finally:
        context.close()


@pytest.mark.slow
def test_the_bar_has_room_at_every_width(served: Served, browser: Browser) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        sign_in_first(page, served)
        page.goto(f"{served.address}/p/default/settings")
        for width in (320, 390, 721, 860, 861, 900, 1000, 1061, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert no_sideways_scroll(page), width
            assert page.evaluate("document.querySelector('.bar').offsetHeight") < 56, width
            menu = page.locator(".bar .menu summary")
            shown = menu if menu.is_visible() else page.get_by_role("button", name="Sign out")
            expect(shown).to_be_in_viewport(ratio=1)
    finally:
        context.close()


@pytest.mark.slow
def test_times_are_in_the_browsers_zone(served: Served, page: Page) -> None:
    sign_in_first(page, served)
    expect(page.locator("html")).to_have_attribute("data-zone", "Europe/Berlin")


@pytest.mark.slow
def test_it_works_without_javascript(served: Served, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        sign_in_first(page, served)
        assert make_key(page)
        page.goto(f"{served.address}/p/default/deploys")
        expect(page.get_by_role("heading", name="No deploy has arrived yet")).to_be_visible()
    finally:
        context.close()
