"""What every test may ask for: a clock it moves, a database file, a real server on a free port."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import hypothesis
import msgspec
import pytest

from miniapm.app import Running, run_server
from miniapm.config import Config
from miniapm.domain.keys import DEFAULT_SCOPES
from tests import factories

T = TypeVar("T")


def pytest_configure() -> None:
    """Property tests take what time they need, and the same examples each time."""
    hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("steady")


@dataclass
class FakeClock:
    """A clock that stands until it is moved."""

    instant: int = factories.START

    def __call__(self) -> int:
        return self.instant

    def move(self, micros: int) -> None:
        self.instant += micros


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@dataclass
class Server:
    """A real server in a thread; `rows` reads its file as a stranger would."""

    running: Running
    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    http: httpx2.Client
    path: Path
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.running.address

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        return factories.read_rows(self.path, sql, **values)

    def make_key(self, *scopes: str, **more: Any) -> str:
        """A new key's secret; the default scopes when none are named."""
        return self.run(
            factories.insert_key(self.running.context, scopes or DEFAULT_SCOPES, **more)
        )

    def sign_in(
        self, role: str = "admin", projects: tuple[str, ...] = ("default",)
    ) -> httpx2.Client:
        """A browser-like client with the session of a new user of this role."""
        token = self.run(factories.insert_session(self.running.context, role, projects))
        client = httpx2.Client(base_url=self.url, cookies={"miniapm_session": token})
        self._clients.append(client)
        return client

    _clients: list[httpx2.Client] = field(default_factory=list)

    def close(self) -> None:
        for client in (*self._clients, self.http):
            client.close()


def start_server(
    path: Path, clock: Callable[[], int], **sections: dict[str, Any]
) -> Iterator[Server]:
    """Runs a server over `path` until the generator is closed; `sections` are settings."""
    settings: dict[str, dict[str, Any]] = {"server": {"port": 0}, "storage": {"path": str(path)}}
    for name, values in sections.items():
        settings[name] = {**settings.get(name, {}), **values}
    config = msgspec.convert(settings, Config)
    started = threading.Event()
    box: list[Running] = []
    loops: list[asyncio.AbstractEventLoop] = []
    failures: list[BaseException] = []

    def announce(running: Running) -> None:
        box.append(running)
        loops.append(asyncio.get_running_loop())
        started.set()

    def serve() -> None:
        try:
            asyncio.run(run_server(config, announce, clock))
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=serve, name="server under test")
    thread.start()
    assert started.wait(20)
    if failures:
        thread.join()
        raise failures[0]
    fake = clock if isinstance(clock, FakeClock) else FakeClock()
    http = httpx2.Client(base_url=box[0].address)
    server = Server(box[0], loops[0], fake, http, path)
    try:
        yield server
    finally:
        server.close()
        loops[0].call_soon_threadsafe(box[0].stop)
        thread.join(20)
        assert not thread.is_alive()
        if failures:
            raise failures[0]


@pytest.fixture
def server(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    yield from start_server(tmp_path / "miniapm.db", clock)


@pytest.fixture
def program() -> Callable[[str], str]:
    """The path of a program; skips by name on a bare machine, fails where every one is required."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            if environ.get("REQUIRE_EVERY_PROGRAM"):
                pytest.fail(f"{name} is not installed, and every program is required here")
            pytest.skip(f"{name} is not installed")
        return path

    return find
