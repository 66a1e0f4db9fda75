"""A service that serves: minutes of requests in the rollups, as a server stores them."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import log
from pathlib import Path
from typing import Any

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.values import Impact
from miniapm.domain.rollups import EntryRow, OpenRollups
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database, open_database
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.impact.judge import Rule
from miniapm.storage.impact.verdicts import find_impact
from miniapm.storage.impact.watch import ImpactWatch
from miniapm.storage.projects import Project, insert_project
from miniapm.storage.rollups.flush import flush_rollups
from tests.conftest import FakeClock
from tests.factories import START, make_announcement

T0 = START - START % HOUR
"""The hour in which the clock of tests stands."""
KEEP = 16 * 24 * HOUR


class Service:
    """Serves requests of `service` in `env`, with the noise of a seeded random generator."""

    def __init__(
        self, database: Database, service: str = "shop", env: str = "production", seed: int = 1
    ) -> None:
        self._database = database
        self._service = service
        self._env = env
        self._random = random.Random(seed)  # noqa: S311 - noise, and the same each time
        self._last_id = 0

    async def serve(
        self,
        since: int,
        until: int,
        *,
        endpoint: str = "GET /",
        version: str = "",
        per_minute: int = 12,
        us: float = 100_000,
        failing: float = 0.0,
        flushed: bool = True,
    ) -> None:
        """So many requests in each minute of since <= t < until, of about `us` (log-normal); where
        they are not `flushed` they are acknowledged alone."""
        await self._database.write(
            self._serve, since, until, endpoint, version, per_minute, us, failing, flushed
        )

    def _serve(
        self,
        connection: Connection,
        since: int,
        until: int,
        endpoint: str,
        version: str,
        per_minute: int,
        us: float,
        failing: float,
        flushed: bool,
    ) -> None:
        store = self._database.telemetry
        name = ReleaseName(self._service, self._env, version, "")
        release_id = store.ids.release(connection, 1, name, since)
        endpoint_id = store.ids.endpoint(connection, 1, self._service, endpoint, since)
        rollups = OpenRollups()
        rows = []
        for at in range(since, until, MINUTE):
            for _ in range(per_minute):
                self._last_id += 1
                rows.append(
                    EntryRow(
                        self._last_id, 1, endpoint_id, release_id, at,
                        round(self._random.lognormvariate(log(us), 0.4)),
                        int(self._random.random() < failing), 200, None, 0, 0, 0, 0,
                    )
                )  # fmt: skip
        rollups.add(rows)
        if not flushed:
            store.add_minutes(rollups.minutes)
            return
        flush_rollups(connection, rollups)
        store.stirred.note(
            connection,
            ((key.project_id, key.release_id, key.started_at) for key in rollups.minutes),
        )


class Judge:
    """A database with one project, and the job that judges its deploys."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.make_id = IdMaker(clock)
        self.watch = ImpactWatch(database, clock, self.make_id, Rule(5000.0), KEEP)

    async def deploy(self, at: int, **fields: Any) -> int:
        """Records a live deploy; its id."""
        announcement = make_announcement(at=at, received_at=self.clock(), **fields)
        recorded = await self.database.write(
            record_announcement, announcement, self.make_id(), HOUR
        )
        return recorded.deploy_id

    async def judge(self, deploy_id: int) -> Impact:
        """The verdict, after all there is to do was done."""
        await self.watch.look_at_all()
        impact = await self.database.read(find_impact, 1, deploy_id)
        assert impact is not None
        return impact


@asynccontextmanager
async def open_judge(path: Path, clock: FakeClock) -> AsyncIterator[Judge]:
    """A new database with the project 1."""
    async with open_database(path, clock, IdMaker(clock)) as database:
        await database.write(insert_project, Project(1, "shop", "Shop", START))
        yield Judge(database, clock)
