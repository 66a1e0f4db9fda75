"""The whole of telemetry in a real browser: an application runs, a deploy is announced, and both
stand where they belong, told in the viewer's zone."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from miniapm.clock import HOUR, MINUTE, SECOND, to_rfc3339
from miniapm.clock import now as read_clock
from miniapm.web.times import tell_duration
from tests.conftest import Server, start_server
from tests.e2e.drawn_charts import RECORD_TEXTS, read_drawing
from tests.e2e.otel_environment_app import CARTS, REPORT
from tests.web.people import PASSWORD, add_user

ROOT = Path(__file__).parent.parent.parent
SECONDS = 120
VERSION = "v2.4.1"
REQUESTS = CARTS + 2
ZONES = ("Asia/Kolkata", "America/New_York")
BEFORE = 23 * MINUTE
"""How long ago the deploy was when the application ran."""


@dataclass(frozen=True)
class Shop:
    """A server that was told of a deploy, and of requests by an application of its version."""

    server: Server
    deployed_at: int
    deploy: str
    """The id of the deploy."""

    @property
    def url(self) -> str:
        return f"{self.server.url}/p/default"


def run_shop(server: Server, key: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.otel_environment_app"],
        cwd=ROOT,
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {key}",
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": (
                f"service.version={VERSION},deployment.environment.name=production"
            ),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def announce(server: Server, key: str, at: int) -> str:
    """Tells of the deploy as a hook would; gives its id."""
    answer = httpx2.post(
        f"{server.url}/ingest/deploys",
        headers={"authorization": f"Bearer {key}"},
        json={
            "git_sha": "abc123def456789",
            "version": VERSION,
            "service": "shop",
            "env": "production",
            "deployer": "ana",
            "timestamp": to_rfc3339(at),
        },
    )
    assert answer.status_code == 202, answer.text
    [row] = server.rows("select id from deploys")
    return str(row["id"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    path = tmp_path_factory.mktemp("shop") / "miniapm.db"
    for server in start_server(path, read_clock, limits={"logins_per_minute": 1000}):
        key = server.make_key()
        # in the middle of a minute, so that a minute more or less is seen
        at = read_clock() - BEFORE
        deployed_at = at - at % MINUTE + 30 * SECOND
        deploy = announce(server, key, deployed_at)
        run_shop(server, key)
        # at once what a job does every second
        database = server.running.context.database
        server.run(database.write(database.telemetry.flush))
        add_user(server, "ana")
        yield Shop(server, deployed_at, deploy)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    return ZoneInfo(request.param)


@pytest.fixture
def page(browser: Browser, zone: ZoneInfo) -> Iterator[Page]:
    """A page in this zone on which an error in a script or a broken policy fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id=zone.key)
    opened = context.new_page()
    opened.add_init_script(RECORD_TEXTS)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield opened
    context.close()
    assert complaints == []


def sign_in(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.server.url}/login")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/p/default/$"))


def open_overview(page: Page, shop: Shop, length: str) -> None:
    page.goto(f"{shop.url}/?range={length}")
    expect(page.locator("#chart-requests .summary")).to_have_text(f"{REQUESTS} in all")


def local(instant: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(instant / SECOND, zone)


def tell(instant: int, zone: ZoneInfo) -> str:
    """As pages tell an instant: `9 October 2025, 10:53:20`."""
    at = local(instant, zone)
    return f"{at.day} {at:%B} {at.year}, {at:%H:%M:%S}"


@pytest.mark.slow
def test_a_deploy_stands_at_its_minute_in_the_viewers_zone(
    shop: Shop, page: Page, zone: ZoneInfo
) -> None:
    sign_in(page, shop)
    began = read_clock()
    for length, step, name in ((HOUR, MINUTE, "1h"), (24 * HOUR, 10 * MINUTE, "24h")):
        open_overview(page, shop, name)
        expect(page.locator("#chart-requests .flag.line.succeeded")).to_have_count(1)
        for chart in ("requests", "errors", "latency"):
            drawing = read_drawing(page, chart)
            # the stretch that is shown is the right one
            assert (drawing.until - drawing.since, drawing.until % step) == (length, 0)
            assert began < drawing.until <= read_clock() + step
            # each label of the axis stands where the clock of the viewer's wall shows it
            assert len(drawing.labels) >= 4
            for label in drawing.labels:
                instant = round(drawing.at(label.x) / step) * step
                assert abs(label.x - drawing.place(instant)) <= 1
                at = local(instant, zone)
                is_day = (at.hour, at.minute) == (0, 0)
                assert label.text == (f"{at.day} {at:%b}" if is_day else f"{at:%H:%M}")
            # and so does the deploy: to one and a half pixels, which is less than a minute in 1h
            [flag] = drawing.flags
            assert abs(flag - drawing.place(shop.deployed_at)) <= 1.5
    page.locator("#chart-requests .flag.succeeded > .cloth").hover()
    note = page.locator("#chart-requests .flag.succeeded > .note")
    expect(note).to_be_visible()
    # its verdict may stand between: the first look comes while the test runs, or before
    expect(note).to_contain_text(f"{VERSION} succeeded")
    expect(note).to_contain_text("production shop by ana")
    expect(note).to_contain_text(tell(shop.deployed_at, zone))


@pytest.mark.slow
def test_the_deploy_tells_when_its_version_was_first_seen(
    shop: Shop, page: Page, zone: ZoneInfo
) -> None:
    sign_in(page, shop)
    open_overview(page, shop, "1h")
    page.locator("#chart-requests .flag.succeeded > .cloth").click()
    page.wait_for_url(re.compile(f"/deploys/{shop.deploy}"))
    [row] = shop.server.rows(
        "select first_seen_at as at, (select min(started_at) from entries) as first from releases"
    )
    # which request of a batch is the first is known to the minute
    assert 0 <= row["at"] - row["first"] < MINUTE
    seen = page.locator(".seen .first")
    expect(seen).to_contain_text(f"First seen {tell(row['at'], zone)}")
    later = tell_duration(row["at"] - shop.deployed_at)
    expect(seen).to_contain_text(f"{later} after the announced time")
    version = page.locator(".seen .versions tbody tr")
    expect(version).to_have_count(1)
    expect(version).to_contain_text(VERSION)
    expect(version.locator("[data-label=Requests]")).to_have_text(str(REQUESTS))
    expect(version.locator("[data-label=Share]")).to_have_text("100 %")
    assert shop.server.rows("select count(*) as deploys from deploys") == [{"deploys": 1}]


@pytest.mark.slow
def test_the_slow_trace_opens_with_its_statement(shop: Shop, page: Page, zone: ZoneInfo) -> None:
    sign_in(page, shop)
    page.get_by_role("link", name="Traces", exact=True).click()
    expect(page.locator(".requests tbody tr")).to_have_count(REQUESTS)
    page.get_by_role("link", name="Slowest", exact=True).click()
    slowest = page.locator(".requests tbody tr").first
    expect(slowest.locator("th")).to_have_text("GET /report")
    expect(slowest).to_contain_text(VERSION)
    [row] = shop.server.rows("select max(duration_us) as us, started_at as at from entries")
    at = local(row["at"], zone)
    expect(slowest.locator("time")).to_contain_text(f"{at.day} {at:%b}, {at:%H:%M:%S}")
    slowest.locator("th a").click()

    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("GET /report")
    expect(page.locator(".trace .facts")).to_contain_text(tell(row["at"], zone))
    root = page.locator(".waterfall tbody tr").first
    expect(root.locator("th.d0")).to_contain_text("GET /report")
    statement = page.locator(".waterfall tbody tr", has_text=re.compile("with", re.I))
    expect(statement.locator("th.d1")).to_have_count(1)
    statement.locator("th a").click()
    expect(page.locator("#span .statement code")).to_have_text(REPORT)
    page.get_by_role("link", name=VERSION, exact=True).click()
    page.wait_for_url(re.compile(f"/deploys/{shop.deploy}"))


@pytest.mark.slow
def test_the_exception_leads_to_its_trace_and_back(shop: Shop, page: Page, zone: ZoneInfo) -> None:
    sign_in(page, shop)
    page.get_by_role("link", name="Errors", exact=True).click()
    row = page.locator("table.errors tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator(".message")).to_have_text("'pear'")
    expect(row.locator(".times")).to_have_text("1")
    row.get_by_role("link", name="KeyError").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("KeyError")
    trace = page.locator(".backtrace")
    expect(trace).to_contain_text("Traceback (most recent call last):")
    expect(trace.locator(".own", has_text="in find_price")).to_have_count(1)
    [stored] = shop.server.rows("select happened_at as at from error_occurrences")
    expect(page.locator("#occurrence-title")).to_contain_text(tell(stored["at"], zone))
    expect(page.locator("#occurrence .fields").first).to_contain_text(VERSION)

    error = page.url
    page.locator("#occurrence .fields a[href*='/traces/']").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("GET /prices")
    told = page.get_by_label("Exceptions")
    expect(told).to_contain_text("KeyError 'pear'")
    told.get_by_role("link", name="Where").click()
    expect(page.locator("#span .exception .backtrace")).to_contain_text("in find_price")
    told.get_by_role("link", name="The error").click()
    expect(page).to_have_url(error)


@pytest.mark.slow
def test_the_same_numbers_without_javascript(shop: Shop, browser: Browser, zone: ZoneInfo) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        sign_in(page, shop)
        page.goto(f"{shop.server.url}/time-zone?next=/p/default/")
        page.get_by_label("Zone").select_option(zone.key)
        page.get_by_role("button", name="Use this zone").click()
        page.wait_for_url(re.compile("/p/default/$"))
        check_tables(page, shop, zone)
    finally:
        context.close()


def check_tables(page: Page, shop: Shop, zone: ZoneInfo) -> None:
    open_overview(page, shop, "1h")
    expect(page.locator(".heading .end")).to_have_text(f"Times in {zone.key.replace('_', ' ')}")
    wanted = {
        f"{local(row['minute'] * MINUTE, zone):%H:%M}": row
        for row in shop.server.rows(
            """select started_at / 60000000 as minute, count(*) as count, sum(failed) as failed,
                min(duration_us) / 1000.0 as shortest, max(duration_us) / 1000.0 as longest
            from entries group by minute"""
        )
    }
    # a minute that has just begun may be left out
    requests, errors, latency = (read_table(page, n) for n in ("requests", "errors", "latency"))
    assert [row[0] for row in requests] == [row[0] for row in errors] == [row[0] for row in latency]
    assert requests
    for (time, count), (_, failed), (_, *percentiles) in zip(
        requests, errors, latency, strict=True
    ):
        truth = wanted[time[:5]]
        assert float(count) == truth["count"]
        assert float(failed) == pytest.approx(100 * truth["failed"] / truth["count"], rel=0.001)
        p50, p95, p99 = map(float, percentiles)
        assert truth["shortest"] * 0.96 <= p50 <= p95 <= p99 <= truth["longest"] * 1.04
    expect(page.locator("#chart-errors .summary")).to_have_text("1 failed, 10 %")

    page.locator(".markers summary").click()
    marker = page.locator(".markers li")
    expect(marker).to_have_count(1)
    expect(marker.get_by_role("link", name=VERSION)).to_be_visible()
    expect(marker.locator("time")).to_have_attribute("datetime", to_rfc3339(shop.deployed_at))
    expect(marker.locator("time")).to_contain_text(tell(shop.deployed_at, zone))


def read_table(page: Page, chart: str) -> list[list[str]]:
    """The rows under a chart, opened as a person would."""
    figure = page.locator(f"#chart-{chart}")
    figure.locator("summary").click()
    expect(figure.locator("tbody tr").first).to_be_visible()
    return [row.locator("td").all_inner_texts() for row in figure.locator("tbody tr").all()]
