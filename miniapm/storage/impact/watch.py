"""The job that keeps verdicts up to date: replays the past as it comes in, then judges what is due.

What it remembers is only what saves work: after a start everything of the last days is looked at
once, and what telemetry came into is judged anew.
"""

import time
from collections.abc import Callable

from miniapm.clock import HOUR, Clock
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.values import Window
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.impact.candidates import (
    DeployRef,
    find_affected,
    find_changed,
    find_due,
    find_lanes,
    find_stale,
)
from miniapm.storage.impact.judge import Rule, judge_deploy
from miniapm.storage.impact.lanes import Lane
from miniapm.storage.impact.replays import (
    QueuedHour,
    count_queued,
    has_queued,
    replay,
    store_replays,
    take_hours,
)
from miniapm.storage.impact.swings import LaneSwings, find_swings, learn_swings, store_swings
from miniapm.storage.impact.verdicts import find_impact, store_verdict

LOOK_SECONDS = 2.0
REPLAY_SECONDS = 1.5
"""Of a look may go into replaying; the rest waits for the next one."""
MOST_HOURS = 200
MOST_DEPLOYS = 100
MOST_CHANGED = 500
OVERLAP = 30 * 1_000_000
"""A deploy may be committed so long after the instant that it was recorded with."""
LONGEST_WAIT = 60 * 1_000_000
"""A deploy waits so long for the past to be replayed; then it is judged by what there is, and again
when all is there."""


class ImpactWatch:
    """`keep` is for how long minutes are kept (µs): older deploys are not judged any more."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        make_id: IdMaker,
        rule: Rule,
        keep: int,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._make_id = make_id
        self._rule = rule
        self._keep = keep
        self._timer = timer
        self._todo: dict[DeployRef, bool] = {}
        self._waiting: dict[DeployRef, int] = {}
        self._seen: dict[DeployRef, int] = {}
        self._changed_since: int | None = None

    async def look(self) -> None:
        """Replays and judges; called every few seconds."""
        now = self._clock()
        await self._replay(now)
        await self._find(now)
        for ref in list(self._todo)[:MOST_DEPLOYS]:
            if await self._judge(ref, self._todo[ref], now):
                self._todo.pop(ref, None)
                self._waiting.pop(ref, None)

    async def look_at_all(self) -> None:
        """Looks until nothing is left to do."""
        while True:
            await self.look()
            now = self._clock()
            oldest = self._first_hour(now)
            if not self._todo and not await self._database.read(count_queued, oldest, now):
                return

    def _oldest(self, now: int) -> int:
        return now - self._keep

    def _first_hour(self, now: int) -> int:
        """The first whose moments have the minutes before them still."""
        return self._oldest(now) + HOUR

    async def _replay(self, now: int) -> None:
        end = self._timer() + REPLAY_SECONDS
        hours = await self._database.write(self._take_hours, now)
        for place, queued in enumerate(hours):
            moments = await self._database.read(
                replay, queued.lane, queued.hour, self._rule.least_us
            )
            await self._database.write(store_replays, queued, moments)
            if self._timer() > end and place + 1 < len(hours):
                break

    def _take_hours(self, connection: Connection, now: int) -> list[QueuedHour]:
        hours = take_hours(connection, self._first_hour(now), now, MOST_HOURS)
        stirred = self._database.telemetry.stirred
        stirred.forget_hours((queued.lane, queued.hour) for queued in hours)
        return hours

    async def _find(self, now: int) -> None:
        """Puts on the list what is to be judged; True stands for from the beginning."""
        oldest = self._oldest(now)
        stirred = self._database.telemetry.stirred.take()
        if self._changed_since is None:
            self._changed_since = oldest
            lanes = await self._database.read(find_lanes)
            stirred = dict.fromkeys(lanes, Window(oldest, now))
        if len(self._todo) < MOST_CHANGED:
            await self._find_changed(self._changed_since, oldest, now)
        for ref in await self._database.read(find_due, now, MOST_DEPLOYS):
            self._todo.setdefault(ref, False)
        if stirred:
            for ref in await self._database.read(find_stale, stirred):
                self._todo[ref] = True

    async def _find_changed(self, since: int, oldest: int, now: int) -> None:
        changed = await self._database.read(find_changed, since, oldest, MOST_CHANGED)
        for ref, updated_at in changed:
            if self._seen.get(ref) != updated_at:
                self._seen[ref] = updated_at
                for affected in await self._database.read(find_affected, ref):
                    self._todo.setdefault(affected, False)
        is_all = len(changed) < MOST_CHANGED
        self._changed_since = now - OVERLAP if is_all else changed[-1].updated_at
        if is_all:
            latest = {change.ref: change.updated_at for change in changed}
            self._seen = latest

    async def _judge(self, ref: DeployRef, anew: bool, now: int) -> bool:
        """Whether it is done with."""
        deploy = await self._database.read(_find_live, ref, self._oldest(now))
        if deploy is None:
            return True
        lane = Lane(deploy.project_id, deploy.service, deploy.env)
        hour = deploy.deployed_at - deploy.deployed_at % HOUR
        behind = await self._database.read(has_queued, lane, self._first_hour(now), hour, now)
        since = self._waiting.setdefault(ref, now)
        if behind and now - since < LONGEST_WAIT:
            return False
        swings = await self._learn(lane, deploy.deployed_at, now)
        before = None
        if not anew:
            before = await self._database.read(find_impact, ref.project_id, ref.deploy_id)
        judged = await self._database.read(judge_deploy, deploy, swings, self._rule, now, before)
        await self._database.write(store_verdict, ref.project_id, judged, self._make_id())
        if behind:
            self._todo[ref] = True
            self._waiting[ref] = now
        return not behind

    async def _learn(self, lane: Lane, at: int, now: int) -> LaneSwings:
        found = await self._database.read(find_swings, lane, at)
        if found is None:
            found = await self._database.read(learn_swings, lane, at)
            await self._database.write(store_swings, lane, found, now)
        return found


def _find_live(connection: Connection, ref: DeployRef, oldest: int) -> Deploy | None:
    """A deploy that can be judged; what is not live, or older than the minutes, keeps the verdict
    that it has."""
    try:
        deploy = get_deploy(connection, ref.project_id, ref.deploy_id)
    except NotFound:
        return None
    is_live = deploy.status == "succeeded" and deploy.hidden_at is None
    return deploy if is_live and deploy.deployed_at - HOUR >= oldest else None
