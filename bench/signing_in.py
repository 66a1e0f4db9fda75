"""A browser's session, and timing pages with it."""

import http.client
import secrets
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from bench.servers import ServerProcess
from miniapm import clock
from miniapm.clock import DAY
from miniapm.domain.ids import IdMaker
from miniapm.domain.tokens import hash_token
from miniapm.domain.users import User
from miniapm.storage.connection import Connection
from miniapm.storage.once import write_once
from miniapm.storage.projects import get_project
from miniapm.storage.sessions import insert_session
from miniapm.storage.users import insert_user


def sign_in_viewer(database: Path) -> str:
    """Makes a viewer of the first project and gives the token of its session."""
    token = secrets.token_urlsafe(32)
    write_once(database, _insert_viewer, token)
    return token


def _insert_viewer(connection: Connection, token: str) -> None:
    now = clock.now()
    project = get_project(connection, "default")
    user_id = IdMaker(clock.now)()
    user = User(user_id, f"bench {user_id}", "viewer", now, frozenset((project.id,)))
    insert_user(connection, user, "no password")
    insert_session(connection, hash_token(token), user.id, now, now + DAY)


class Browser:
    """One connection of a signed-in viewer."""

    def __init__(self, server: ServerProcess, token: str) -> None:
        self._connection = http.client.HTTPConnection(server.address.removeprefix("http://"))
        self._headers = {"Cookie": f"miniapm_session={token}"}

    def time_page(self, path: str) -> float:
        """Milliseconds until the whole page is there."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200, f"{path} answered {answer.status}"
        return (time.perf_counter() - began) * 1000

    def time_pages(self, paths: Iterable[str]) -> list[float]:
        return [self.time_page(path) for path in paths]

    def close(self) -> None:
        self._connection.close()


def open_browser(server: ServerProcess, token: str) -> "closing[Browser]":
    return closing(Browser(server, token))
