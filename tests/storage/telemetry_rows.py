"""Telemetry that stands in a database before a function is asked."""

from miniapm.clock import MINUTE, SECOND
from miniapm.domain.rollups import EntryRow, OpenRollups
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.flush import flush_rollups
from miniapm.storage.spans.names import NameCaps, NameIds
from tests.factories import START

BASE = START + 40 * SECOND
"""A whole minute, as rollups count them."""


class Telemetry:
    """Requests of releases, flushed as a server does. `now` is when they come to us."""

    def __init__(self, connection: Connection, caps: NameCaps | None = None) -> None:
        self._connection = connection
        self._ids = NameIds(caps or NameCaps(), lambda: self.now)
        self._last_id = 0
        self.now = START

    def show(
        self,
        version: str,
        revision: str,
        minutes: float,
        *,
        count: int = 1,
        project_id: int = 1,
        service: str = "shop",
        env: str = "production",
    ) -> int:
        """Requests that a release served so long after BASE; the release's id."""
        at = BASE + round(minutes * MINUTE)
        name = ReleaseName(service, env, version, revision)
        release_id = self._ids.release(self._connection, project_id, name, at)
        endpoint_id = self._ids.endpoint(self._connection, project_id, service, "GET /", at)
        rollups = OpenRollups()
        rows = []
        for _ in range(count):
            self._last_id += 1
            rows.append(
                EntryRow(
                    self._last_id, project_id, endpoint_id, release_id, at, 1000, 0, 200, None,
                    0, 0, 0, 0,
                )
            )  # fmt: skip
        rollups.add(rows)
        flush_rollups(self._connection, rollups)
        return release_id
