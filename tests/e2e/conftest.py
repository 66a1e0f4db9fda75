"""What the tests with real senders and a real browser share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from miniapm import clock as real_clock
from tests.client.git_repository import GitRepository
from tests.conftest import Server, start_server
from tests.e2e.kept_tools import Client, Program, read_snippets
from tests.e2e.tls_proxy import TlsProxy, run_forward_proxy, run_nginx


@pytest.fixture
def real_server(tmp_path: Path) -> Iterator[Server]:
    """A server by the true time, which real senders live in."""
    yield from start_server(tmp_path / "miniapm.db", real_clock.now)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """A clone of acme/shop without commits."""
    clone = GitRepository(tmp_path / "clone")
    clone.git("remote", "add", "origin", "https://github.com/acme/shop.git")
    return clone


@pytest.fixture
def nginx(real_server: Server, program: Program, tmp_path: Path) -> Iterator[TlsProxy]:
    """The proxy of the README before the server."""
    settings = read_snippets()["Fixed hosts"]
    programs = program("nginx"), program("openssl")
    with run_nginx(*programs, tmp_path / "nginx", settings, real_server.url) as proxy:
        yield proxy


@pytest.fixture
def datadog(
    real_server: Server, program: Program, nginx: TlsProxy, repository: GitRepository
) -> Iterator[Client]:
    """datadog-ci, which speaks to nothing but https://api.$DD_SITE."""
    with run_forward_proxy(nginx.socket) as address:
        variables = {
            "DD_SITE": "miniapm.example",
            "DD_API_KEY": real_server.make_key("deploys:write"),
            "DD_APP_KEY": "none",
            "DD_BETA_COMMANDS_ENABLED": "1",
            "HTTPS_PROXY": address,
            "NODE_EXTRA_CA_CERTS": str(nginx.certificate),
        }
        yield Client(program("datadog-ci"), repository.path, variables)


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
