"""The past that deploys are judged by: replayed as it comes in, learned when a deploy asks for it.

Both go a few endpoints at a time: a service of a thousand takes longer than a reader may.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from miniapm.clock import HOUR
from miniapm.domain.deploys.values import Lane
from miniapm.domain.parts import cut_in_parts
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database
from miniapm.storage.impact.judge import Rule
from miniapm.storage.impact.lanes import find_endpoint_names
from miniapm.storage.impact.replays import (
    QueuedHour,
    find_queued_hours,
    find_queued_lanes,
    has_queued,
    replay,
    store_replays,
)
from miniapm.storage.impact.swings import (
    LaneSwings,
    Learned,
    find_swings,
    learn_histories,
    store_swings,
)
from miniapm.storage.impact.todo import take_in_turn

REPLAY_SECONDS = 1.5
"""Of a look may go into replaying what a deploy waits for; the rest waits for the next one."""
UNHURRIED_SECONDS = 0.3
"""The same where no deploy waits: telemetry of the past, which comes in for hours, has the rest."""
AGAIN_SECONDS = 30.0
"""Where no deploy waits, an hour that telemetry still comes into is replayed no more often."""
MOST_HOURS = 200
ENDPOINTS_AT_ONCE = 50


class Past:
    """Replays and learns; `timer` counts seconds."""

    def __init__(self, database: Database, rule: Rule, timer: Callable[[], float]) -> None:
        self._database = database
        self._rule = rule
        self._timer = timer
        self._replayed: dict[tuple[Lane, int], float] = {}

    async def replay(
        self, oldest: int, now: int, awaited: Collection[Lane], *, hurried: bool
    ) -> None:
        """Replays queued hours from `oldest` (µs) on while there is time, those of `awaited` lanes
        first, and each project in turn. Hours replayed of late wait unless awaited or `hurried`."""
        began = self._timer()
        end = began + (REPLAY_SECONDS if awaited else UNHURRIED_SECONDS)
        last = began if hurried else began - AGAIN_SECONDS
        self._replayed = {hour: at for hour, at in self._replayed.items() if at > last}
        for queued in await self._database.write(self._take_hours, oldest, now, awaited):
            await self._replay(queued)
            self._replayed[queued.lane, queued.hour] = began
            if self._timer() > end:
                break

    async def is_behind(self, lane: Lane, at: int, oldest: int, now: int) -> bool:
        """Whether hours of the past of a deploy at `at` (µs) wait to be replayed."""
        return await self._database.read(has_queued, lane, oldest, at - at % HOUR, now)

    async def learn(self, lane: Lane, at: int, now: int) -> LaneSwings:
        """What is known for a deploy at `at` (µs), learned now where that is too long ago."""
        found = await self._database.read(find_swings, lane, at)
        if found is None:
            learned = Learned(at)
            for ids in cut_small(await self._database.read(find_endpoint_names, lane)):
                learned.add(await self._database.read(learn_histories, lane, at, ids))
            found = learned.join()
            await self._database.write(store_swings, lane, found, now)
        return found

    async def _replay(self, queued: QueuedHour) -> None:
        lane, hour = queued.lane, queued.hour
        moments: dict[int, bytes] = {}
        for ids in cut_small(await self._database.read(find_endpoint_names, lane)):
            moments |= await self._database.read(replay, lane, hour, ids, self._rule.least_us)
        await self._database.write(store_replays, queued, moments)

    def _take_hours(
        self, connection: Connection, oldest: int, now: int, awaited: Collection[Lane]
    ) -> list[QueuedHour]:
        lanes = find_queued_lanes(connection, oldest, now)
        hours: list[QueuedHour] = []
        for wanted in (True, False):
            found = [
                queued
                for lane in lanes
                if (lane in awaited) is wanted
                for queued in find_queued_hours(connection, lane, oldest, now, MOST_HOURS)
                if wanted or (lane, queued.hour) not in self._replayed
            ]
            by_lane = take_in_turn(found, lambda queued: queued.lane, len(found))
            hours += take_in_turn(
                by_lane, lambda queued: queued.lane.project_id, MOST_HOURS - len(hours)
            )
        # what comes from now on queues them again
        self._database.telemetry.stirred.forget_hours((one.lane, one.hour) for one in hours)
        return hours


def cut_small(endpoint_ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """As many at a time as fit into one read."""
    return cut_in_parts(list(endpoint_ids), ENDPOINTS_AT_ONCE)
