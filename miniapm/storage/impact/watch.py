"""The job that keeps verdicts up to date: replays the past as it comes in, then judges what is due.

What it remembers is only what saves work: after a start everything of the last days is looked at
once, and what telemetry came into is judged anew.
"""

import logging
import time
from collections.abc import Callable

from miniapm.clock import HOUR, SECOND, Clock
from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.values import Window
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.impact.candidates import (
    ChangePlace,
    DeployRef,
    find_affected,
    find_changed,
    find_due,
    find_lanes,
    find_stale,
    stop_looking,
)
from miniapm.storage.impact.judge import Rule, judge_deploy
from miniapm.storage.impact.past import Past
from miniapm.storage.impact.replays import count_queued
from miniapm.storage.impact.todo import Todo
from miniapm.storage.impact.verdicts import find_impact, store_verdict

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
MOST_DEPLOYS = 100
MOST_CHANGED = 500
MOST_KNOWN = 10_000
OVERLAP = 30 * SECOND
"""A deploy may be committed so long after the instant that it was recorded with."""
LONGEST_WAIT = 60 * SECOND
"""A deploy waits so long for the past to be replayed; then it is judged by what there is, and again
when all is there."""


class ImpactWatch:
    """`keep` is for how long minutes are kept (µs): older deploys are not judged any more. `timer`
    counts the seconds that replaying may take."""

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
        self._past = Past(database, rule, timer)
        self._todo = Todo()
        self._waiting: dict[DeployRef, tuple[Lane, int]] = {}
        self._seen: dict[DeployRef, int] = {}
        self._behind: ChangePlace | None = None

    async def look(self, *, hurried: bool = False) -> None:
        """Replays and judges; called every few seconds. A deploy that cannot be judged is logged
        and tried again later: it holds up no other one."""
        now = self._clock()
        awaited = {lane for lane, _ in self._waiting.values()}
        await self._past.replay(self._first_hour(now), now, awaited, hurried=hurried)
        await self._find(now)
        if self._todo:
            # what was acknowledged before the deploy was told is judged with it
            await self._database.write(self._database.telemetry.flush)
        for ref, anew in self._todo.take(now, MOST_DEPLOYS):
            try:
                await self._judge(ref, anew, now)
            except Exception as error:
                log.error("the deploy %d cannot be judged", ref.deploy_id, exc_info=error)
                self._todo.fail(ref, now)

    async def look_at_all(self) -> None:
        """Looks until nothing is left to do."""
        while True:
            await self.look(hurried=True)
            now = self._clock()
            oldest = self._first_hour(now)
            if not self._todo and not await self._database.read(count_queued, oldest, now):
                return

    def _oldest(self, now: int) -> int:
        return now - self._keep

    def _first_hour(self, now: int) -> int:
        """The first whose moments have the minutes before them still."""
        return self._oldest(now) + HOUR

    async def _find(self, now: int) -> None:
        """Puts on the list what is to be judged."""
        oldest = self._oldest(now)
        stirred = self._database.telemetry.stirred.take()
        if self._behind is None:
            self._behind = ChangePlace(oldest, 0)
            lanes = await self._database.read(find_lanes)
            stirred = dict.fromkeys(lanes, Window(oldest, now))
        if len(self._todo) < MOST_KNOWN:
            await self._find_changed(self._behind, oldest, now)
            # those that are known to be due come first again
            for ref in await self._database.read(find_due, now, len(self._todo) + MOST_DEPLOYS):
                self._todo.add(ref)
        if stirred:
            for ref in await self._database.read(find_stale, stirred):
                self._todo.add(ref, anew=True)

    async def _find_changed(self, behind: ChangePlace, oldest: int, now: int) -> None:
        changed = await self._database.read(find_changed, behind, oldest, MOST_CHANGED)
        for one in changed:
            if self._seen.get(one.ref) != one.updated_at:
                self._seen[one.ref] = one.updated_at
                for affected in await self._database.read(find_affected, one.ref):
                    self._todo.add(affected)
        if len(changed) == MOST_CHANGED:
            self._behind = changed[-1].place
        else:
            self._behind = ChangePlace(now - OVERLAP, 0)
            self._seen = {ref: at for ref, at in self._seen.items() if at >= now - OVERLAP}

    async def _judge(self, ref: DeployRef, anew: bool, now: int) -> None:
        deploy = await self._database.read(_find_live, ref, self._oldest(now))
        if deploy is None:
            await self._database.write(stop_looking, ref)
            self._end(ref)
            return
        lane = deploy.lane
        behind = await self._past.is_behind(lane, deploy.deployed_at, self._first_hour(now), now)
        _, since = self._waiting.setdefault(ref, (lane, now))
        if behind and now - since < LONGEST_WAIT:
            self._todo.wait(ref, now)
            return
        swings = await self._past.learn(lane, deploy.deployed_at, now)
        before = None
        if not anew:
            before = await self._database.read(find_impact, ref.project_id, ref.deploy_id)
        judged = await self._database.read(judge_deploy, deploy, swings, self._rule, now, before)
        await self._database.write(store_verdict, ref.project_id, judged, self._make_id())
        self._end(ref)
        if behind:
            self._todo.add(ref, anew=True)
            self._todo.wait(ref, now)
            self._waiting[ref] = lane, now

    def _end(self, ref: DeployRef) -> None:
        self._todo.end(ref)
        self._waiting.pop(ref, None)


def _find_live(connection: Connection, ref: DeployRef, oldest: int) -> Deploy | None:
    """A deploy that can be judged; what is not live, or older than the minutes, keeps the verdict
    that it has."""
    try:
        deploy = get_deploy(connection, ref.project_id, ref.deploy_id)
    except NotFound:
        return None
    return deploy if deploy.is_live and deploy.deployed_at - HOUR >= oldest else None
