"""What the tests with real senders and a real browser share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from miniapm import clock as real_clock
from tests.conftest import Server, start_server


@pytest.fixture
def real_server(tmp_path: Path) -> Iterator[Server]:
    """A server by the true time, which real senders live in."""
    yield from start_server(tmp_path / "miniapm.db", real_clock.now)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; skips by name on a bare machine, fails where all is required."""
    path = next(
        (p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), None
    )
    if path is None:
        if os.environ.get("REQUIRE_EVERY_PROGRAM"):
            pytest.fail("chromium is not installed, and every program is required here")
        pytest.skip("chromium is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=flags)
        yield launched
        launched.close()
