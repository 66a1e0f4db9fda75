"""The calls of other services' clients as they were captured."""

from typing import Any

import httpx2

from tests.conftest import Server
from tests.web.receivers.captured_monitors import MONITORS, MONITORS_BESIDE
from tests.web.receivers.captured_pipelines import PIPELINES
from tests.web.receivers.captured_trackers import TRACKERS, TRACKERS_BESIDE
from tests.web.receivers.client_call import ClientCall

# when they were captured
CAPTURED = 1_795_296_600_000_000
DEPLOYS = [*TRACKERS, *MONITORS, *PIPELINES]
CALLS = [*DEPLOYS, *TRACKERS_BESIDE, *MONITORS_BESIDE]


def find_call(name: str) -> ClientCall:
    """The captured call of this name."""
    return next(call for call in CALLS if call.name == name)


def at_time_of_captures(server: Server) -> Server:
    """The server, with its clock moved to when the calls were captured."""
    server.clock.move(CAPTURED - server.clock())
    return server


def post(server: Server, path: str, value: Any, key: str, **headers: str) -> httpx2.Response:
    """Posts JSON with a key as `Bearer`."""
    return server.http.post(path, json=value, headers={"Authorization": f"Bearer {key}", **headers})
