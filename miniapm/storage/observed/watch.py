"""The look at releases that a job takes every few seconds."""

import logging

from miniapm.clock import Clock
from miniapm.domain.ids import IdMaker
from miniapm.domain.releases import MOST_OF_LANE
from miniapm.storage.database import Database
from miniapm.storage.observed.record import observe_releases
from miniapm.storage.observed.waiting import has_new_releases

LOOK_SECONDS = 2.0
log = logging.getLogger(__name__)


class ReleaseWatch:
    """`observe` is `deploys.observe`: whether versions that nobody announced become deploys."""

    def __init__(self, database: Database, clock: Clock, make_id: IdMaker, observe: bool) -> None:
        self._database = database
        self._clock = clock
        self._make_id = make_id
        self._observe = observe
        self._warned: set[str] = set()

    async def look(self) -> None:
        """Matches and records what is new; says once for a project that there is too much."""
        now = self._clock()
        if not await self._database.read(has_new_releases, now):
            return
        flooding = await self._database.write(observe_releases, self._make_id, now, self._observe)
        for slug in flooding - self._warned:
            self._warned.add(slug)
            log.warning(
                "telemetry of %s names more than %d new versions of a service within an hour: not "
                "all become deploys. Is the version made up at each start?",
                slug,
                MOST_OF_LANE,
            )
