"""The pictures of the README, and all pages of the demonstration for a look (needs playwright,
chromium): `scripts/pictures.py docs` writes the first, `scripts/pictures.py FOLDER --all` the rest.

Starts `miniapm serve --demo` and photographs what a newcomer sees.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright
from screenshots import CHROMIUM, LOOKS, open_page, sign_in

from miniapm.storage.connection import Connection
from miniapm.storage.once import read_once

SHOWN = ("timeline", "deploy", "overview", "endpoint", "trace")
"""What the README may show, in light and dark, as much as fits into a window."""
HEIGHT = 860


class Place(NamedTuple):
    """A page of the demonstration, below the project."""

    name: str
    path: str


def find_places(connection: Connection) -> list[Place]:
    """Every kind of page, by the deploys and errors that have a story."""
    ids = {
        name: connection.execute(sql).fetchone()[0]
        for name, sql in {
            "slow": "select id from deploys where version = 'v2.30.0' and env = 'production'",
            "failing": "select id from deploys where version = 'v2.32.0' and env = 'production'",
            "faster": "select id from deploys where version = 'v2.28.0' and env = 'production'",
            "back": "select max(id) from deploys where version = 'v2.29.0' and env = 'production'",
            "failed": "select id from deploys where status = 'failed'",
            "thin": "select id from deploys where version = 'v2.33.0' and env = 'staging'",
            "seen": "select id from deploys where sources = 'telemetry'",
            "search": "select id from endpoints where name = 'GET /search'",
            "checkout": "select id from endpoints where name = 'POST /checkout'",
            "error": "select id from error_groups where exception_class = 'KeyError'",
            "javascript": "select id from error_groups where exception_class = 'TypeError'",
            "trace": """select lower(hex(trace_id)) from entries e
                join endpoints p on p.project_id = e.project_id and p.id = e.endpoint_id
                where p.name = 'POST /checkout' and 3 = (
                    select count(*) from entries o where o.trace_id = e.trace_id)
                order by e.id desc limit 1""",
            "slow_trace": """select lower(hex(trace_id)) from entries e
                join endpoints p on p.project_id = e.project_id and p.id = e.endpoint_id
                join releases r on r.project_id = e.project_id and r.id = e.release_id
                where p.name = 'GET /search' and r.version = 'v2.30.0'
                    and r.env = 'production' order by e.duration_us desc limit 1""",
        }.items()
    }
    return [
        Place("timeline", "deploys"),
        Place("deploy", f"deploys/{ids['slow']}"),
        Place("overview", "?range=24h&env=production"),
        Place("endpoint", f"endpoints/{ids['search']}?env=production&range=7d"),
        Place("trace", f"traces/{ids['trace']}"),
        Place("overview-week", "?range=7d"),
        Place("deploy-failing", f"deploys/{ids['failing']}"),
        Place("deploy-faster", f"deploys/{ids['faster']}"),
        Place("deploy-back", f"deploys/{ids['back']}"),
        Place("deploy-failed", f"deploys/{ids['failed']}"),
        Place("deploy-thin", f"deploys/{ids['thin']}"),
        Place("deploy-seen", f"deploys/{ids['seen']}"),
        Place("endpoints", "endpoints"),
        Place("endpoint-checkout", f"endpoints/{ids['checkout']}"),
        Place("traces", "traces"),
        Place("trace-slow", f"traces/{ids['slow_trace']}"),
        Place("errors", "errors"),
        Place("error", f"errors/{ids['error']}"),
        Place("error-javascript", f"errors/{ids['javascript']}"),
        Place("settings", "settings"),
    ]


@contextmanager
def serve_demo(folder: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server with the demonstration, and its database."""
    command = [sys.executable, "-m", "miniapm", "serve", "--demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().split()[-1]
        path = Path(process.stdout.readline().removeprefix("Database: ").strip())
        yield address, path
    finally:
        process.terminate()
        process.wait()


def photograph(page: Page, url: str, target: Path, whole: bool) -> None:
    page.goto(url)
    page.wait_for_timeout(700)
    page.screenshot(path=target, full_page=whole)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        print(f"{target.name}: the page is {wide} px too wide")


def photograph_all(
    browser: Browser, address: str, path: Path, folder: Path, everything: bool
) -> None:
    token = sign_in(path)
    places = read_once(path, find_places)
    for look, width, scheme in LOOKS:
        if look == "phone" and not everything:
            continue
        page = open_page(browser, address, token, width, scheme)
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for place in places:
            if everything or place.name in SHOWN:
                url = f"{address}/p/demo/{place.path}"
                photograph(page, url, folder / f"{place.name}-{look}.png", everything)
        page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every page, whole, phone too")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with serve_demo(arguments.folder) as (address, path):
            photograph_all(browser, address, path, arguments.folder, arguments.all)
        browser.close()


if __name__ == "__main__":
    main()
