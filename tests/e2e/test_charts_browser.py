"""Charts in a real browser: deploys as flags, cursors in step, a drag that zooms."""

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from miniapm.clock import HOUR, MINUTE, SECOND, to_rfc3339
from miniapm.domain.deploys.values import Status
from miniapm.domain.impact.values import Decision
from miniapm.domain.instants import parse_instant
from tests.conftest import Server
from tests.factories import START
from tests.impacts import add_verdict
from tests.traffic import Call, insert_calls
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.test_impact_timeline import say

TEN = START - START % (10 * MINUTE)
STEPS = 24 * 6


def open_context(browser: Browser, server: Server, zone: str = "UTC") -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id=zone)
    token = server.sign_in().cookies["miniapm_session"]
    context.add_cookies([{"name": "miniapm_session", "value": token, "url": server.url}])
    return context


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A signed-in page on which an error in a script or a broken policy fails the test."""
    context = open_context(browser, server)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield opened
    context.close()
    assert complaints == []


def send_a_day(server: Server) -> None:
    """A request every minute for a day."""
    project = server.rows("select id from projects")[0]["id"]
    calls = [Call(TEN - minute * MINUTE, 20_000) for minute in range(1, 24 * 60)]
    server.run(server.running.context.database.write(insert_calls, calls, project))


def plot(page: Page, chart: str) -> Locator:
    return page.locator(f"#chart-{chart} .u-over")


def place(page: Page, share: float) -> tuple[float, float]:
    """A point in the first plot, so far from its left."""
    box = plot(page, "requests").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


@pytest.mark.slow
def test_a_deploy_is_a_flag_that_tells_and_leads(server: Server, page: Page) -> None:
    send_a_day(server)
    deploy = add_deploy(
        server, version="v2.0", deployer=HOSTILE_MARKUP, deployed_at=TEN - 12 * HOUR
    )
    add_deploy(server, version="v2.1", status="failed", deployed_at=TEN - 6 * HOUR)
    page.goto(f"{server.url}/p/default/")
    # on each of the three charts
    expect(page.locator(".flag > .cloth")).to_have_count(6)
    expect(page.locator("#chart-requests .flag.line.failed")).to_have_count(1)
    flag = page.locator("#chart-requests .flag.succeeded > .cloth")
    expect(page.locator("#chart-requests .flag.succeeded > .note")).to_be_hidden()
    flag.hover()
    note = page.locator("#chart-requests .flag.succeeded > .note")
    expect(note).to_be_visible()
    expect(note).to_contain_text("v2.0")
    expect(note).to_contain_text(HOSTILE_MARKUP)
    # the flag stands where its minute is: 10 min before the middle of the 24 hours that are shown
    box, cloth = plot(page, "requests").bounding_box(), flag.bounding_box()
    assert box is not None
    assert cloth is not None
    middle = (cloth["x"] + cloth["width"] / 2 - box["x"]) / box["width"]
    assert middle == pytest.approx((12 * 60 - 10) / (24 * 60), abs=0.002)
    flag.click()
    expect(page).to_have_url(f"{server.url}/p/default/deploys/{deploy.id}")


@pytest.mark.slow
def test_deploys_that_crowd_share_a_flag(server: Server, page: Page) -> None:
    send_a_day(server)
    for number in range(12):
        add_deploy(server, version=f"v{number}", deployed_at=TEN - HOUR + number * 30_000_000)
    page.goto(f"{server.url}/p/default/?env=production")
    flag = page.locator("#chart-requests .flag.several")
    expect(flag).to_have_count(1)
    expect(flag.locator(".cloth")).to_have_text("12")
    flag.locator(".cloth").hover()
    expect(flag.locator(".note a")).to_have_count(9)
    expect(flag.locator(".note a").first).to_have_text("v11")
    expect(flag.locator(".note a").last).to_have_text("and 4 more")
    flag.locator(".cloth").click()
    expect(page.locator(".timeline tr[id]")).to_have_count(12)
    assert "env=production" in page.url


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [25, 40, 70])
def test_flags_do_not_cover_each_other(server: Server, page: Page, seconds: int) -> None:
    send_a_day(server)
    for number in range(24):
        status: Status = "failed" if number % 7 == 3 else "succeeded"
        at = TEN - 55 * MINUTE + number * seconds * SECOND
        add_deploy(server, version=f"v{number}", status=status, deployed_at=at)
    page.goto(f"{server.url}/p/default/?range=1h")
    cloths = page.locator("#chart-requests .flag > .cloth")
    expect(cloths.first).to_be_visible()
    boxes = cloths.evaluate_all(
        "all => all.map((a) => [a.getBoundingClientRect(), a.textContent])"
        ".map(([box, text]) => [box.left, box.right, Number(text || 1)])"
    )
    boxes.sort()
    assert len(boxes) > 1
    assert all(before[1] <= after[0] for before, after in pairwise(boxes))
    assert sum(count for _, _, count in boxes) == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "css", "words"),
    [(None, "regressed", ", 1 regressed"), ("dismiss", "failed", ", 1 failed")],
)
def test_a_stack_tells_the_worst_in_it(
    server: Server, page: Page, said: Decision | None, css: str, words: str
) -> None:
    send_a_day(server)
    at = TEN - HOUR
    bad = add_deploy(server, version="v-bad", deployed_at=at)
    add_verdict(server, bad)
    if said:
        say(server, bad, said)
    for number in range(11):
        add_deploy(
            server,
            version=f"v{number}",
            status="failed" if number == 3 else "succeeded",
            deployed_at=at + (number + 1) * 30_000_000,
        )
    page.goto(f"{server.url}/p/default/?env=production")
    flag = page.locator("#chart-requests .flag.several")
    cloth = flag.locator(".cloth")
    expect(flag).to_have_class(re.compile(rf"\b{css}\b"))
    expect(cloth).to_have_text("12")
    expect(cloth).to_have_attribute("aria-label", f"12 deploys{words}")
    shape = cloth.evaluate("e => getComputedStyle(e, '::before').display")
    assert shape != "none"
    # of those that are named it is the first, though older than what is left out
    cloth.hover()
    expect(flag.locator(".note a").first).to_have_text("v-bad" if not said else "v3")


@pytest.mark.slow
def test_the_cursor_is_on_all_charts_and_tells_values(server: Server, page: Page) -> None:
    send_a_day(server)
    page.goto(f"{server.url}/p/default/")
    # the step that begins in the middle of what is shown, at 21:00 yesterday
    x, y = place(page, 0.5 + 0.5 / STEPS)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    for chart, words in (("requests", "1"), ("errors", "0 %"), ("latency", "19.9 ms")):
        legend = page.locator(f"#chart-{chart} .legend")
        expect(legend).to_contain_text("21:00")
        expect(legend).to_contain_text(words)


@pytest.mark.slow
def test_what_came_after_a_deploy_is_drawn_after_its_line(server: Server, page: Page) -> None:
    send_a_day(server)
    # six minutes into the step that begins 12 hours before the end
    add_deploy(server, deployed_at=TEN + 10 * MINUTE - 12 * HOUR + 6 * MINUTE)
    page.goto(f"{server.url}/p/default/")
    line = page.locator("#chart-latency .flag.line").bounding_box()
    over = plot(page, "latency").bounding_box()
    assert line is not None
    assert over is not None

    def place_of(step: int) -> float:
        """Where the value of a step is drawn, by the dot that the cursor puts there."""
        x, y = place(page, (step + 0.5) / STEPS)
        page.mouse.move(x - 2, y)
        page.mouse.move(x, y)
        dot = page.locator("#chart-latency .u-cursor-pt").first.bounding_box()
        assert dot is not None
        return dot["x"] + dot["width"] / 2

    width = over["width"] / STEPS
    middle = over["x"] + over["width"] / 2
    for step in (71, 72, 73):
        expected = middle + (step - 72 + 0.5) * width
        assert place_of(step) == pytest.approx(expected, abs=1)
    assert place_of(71) < line["x"] < place_of(73)
    assert abs(place_of(72) - line["x"]) <= width / 2


@pytest.mark.slow
def test_on_a_phone_legends_are_whole(server: Server, browser: Browser) -> None:
    project = server.rows("select id from projects")[0]["id"]
    calls = [Call(TEN - minute * MINUTE, 20_000_000) for minute in range(1, 60)]
    server.run(server.running.context.database.write(insert_calls, calls, project))
    context = open_context(browser, server)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{server.url}/p/default/endpoints/1")
    expect(page.locator("#chart-time .u-legend tr")).to_have_count(4)
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".chart .legend")].flatMap((legend) => {
            const box = legend.getBoundingClientRect();
            return [...legend.querySelectorAll("tr")].filter((row) => {
                const its = row.getBoundingClientRect();
                return its.right > box.right + 1 || its.bottom > box.bottom + 1;
            }).map((row) => row.textContent);
        })"""
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


@pytest.mark.slow
def test_a_drag_shows_what_it_covered(server: Server, page: Page) -> None:
    send_a_day(server)
    page.goto(f"{server.url}/p/default/?env=production&range=24h")
    left, y = place(page, 0.25)
    right, _ = place(page, 0.5)
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y)
    page.mouse.move(right, y)
    page.mouse.up()
    page.wait_for_url(re.compile("from="))
    query = parse_qs(urlsplit(page.url).query)
    assert sorted(query) == ["env", "from", "to"]
    begin, end = (parse_instant(query[name][0]) for name in ("from", "to"))
    shown_from = TEN + 10 * MINUTE - 24 * HOUR
    assert abs(begin - (shown_from + 6 * HOUR)) <= 10 * MINUTE
    assert abs(end - (shown_from + 12 * HOUR)) <= 10 * MINUTE
    assert page.locator(".charts").get_attribute("data-since") == str(begin)
    expect(page.locator("#chart-requests .u-over")).to_be_visible()
    page.get_by_role("link", name="Back to the latest").click()
    expect(page.locator("select[name=range]")).to_have_value("24h")
    assert "env=production" in page.url


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_axis_is_in_the_viewers_zone(server: Server, browser: Browser, zone: str) -> None:
    send_a_day(server)
    add_deploy(server, deployed_at=TEN - 90 * MINUTE)
    context = open_context(browser, server, zone)
    page = context.new_page()
    page.goto(f"{server.url}/p/default/")
    expect(page.locator("html")).to_have_attribute("data-zone", zone)
    page.locator("#chart-requests summary").click()
    first = page.locator("#chart-requests tbody time").first
    instant = parse_instant(first.get_attribute("datetime") or "")
    expect(first).to_have_text(
        page.evaluate(
            """([at, zone]) => new Date(at).toLocaleTimeString("en-GB",
            {timeZone: zone, hour: "2-digit", minute: "2-digit"})""",
            [to_rfc3339(instant), zone],
        )
    )
    x, y = place(page, (24 * 60 - 100 + 5) / (24 * 60))
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    deployed = page.locator(".markers li time").first.text_content() or ""
    expect(page.locator("#chart-latency .legend")).to_contain_text(deployed[-8:-3])
    context.close()


@pytest.mark.slow
def test_without_javascript_the_tables_have_the_numbers(server: Server, browser: Browser) -> None:
    send_a_day(server)
    deploy = add_deploy(server, deployed_at=TEN - HOUR)
    token = server.sign_in().cookies["miniapm_session"]
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "miniapm_session", "value": token, "url": server.url}])
    page = context.new_page()
    page.goto(f"{server.url}/p/default/")
    expect(page.locator("#chart-requests .plot")).to_be_hidden()
    page.locator("#chart-requests summary").click()
    expect(page.locator("#chart-requests tbody tr").first).to_be_visible()
    expect(page.locator("#chart-requests tbody tr")).to_have_count(143)
    page.locator(".markers summary").click()
    expect(page.locator(".markers li a")).to_have_attribute(
        "href", f"/p/default/deploys/{deploy.id}"
    )
    context.close()
