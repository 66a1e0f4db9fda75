"""The job that sweeps in a running server."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from miniapm.clock import Clock
from miniapm.domain.retention import CutOffs, Lifetimes, find_cut_offs
from miniapm.exceptions import Busy
from miniapm.storage.database import Database
from miniapm.storage.jobs import write_lifetimes
from miniapm.storage.retention.dictionaries import OldDictionaries
from miniapm.storage.retention.names import UnusedNames
from miniapm.storage.retention.stages import list_arrivals, list_figures
from miniapm.storage.retention.sweep import REST, Sweep

LONGEST_SECONDS = 300.0
_MOST_REFUSALS = 10


class RetentionJob:
    """Deletes what has had its time; called every minute or so."""

    def __init__(self, database: Database, clock: Clock, lifetimes: Lifetimes) -> None:
        self._database = database
        self._clock = clock
        self._lifetimes = lifetimes
        self._dictionaries = OldDictionaries(database)
        self._swept: CutOffs | None = None

    async def run(self) -> None:
        cut_offs = find_cut_offs(self._lifetimes, self._clock())
        stages = list_arrivals(cut_offs)
        is_new_hour = self._swept is None or self._swept.figures != cut_offs.figures
        if is_new_hour:
            telemetry = self._database.telemetry
            names = UnusedNames(cut_offs.names, telemetry.flush, telemetry.forget)
            stages += [*list_figures(cut_offs), names]
            await self._database.write(write_lifetimes, self._lifetimes)
        sweep = Sweep(stages)
        await run_sweep(self._database, sweep)
        if is_new_hour and sweep.is_done:
            self._swept = cut_offs
            await self._dictionaries.delete(cut_offs.dictionaries)


async def run_sweep(
    database: Database,
    sweep: Sweep,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Sweeps beside everything else that is written, resting after each slice; at most for a few
    minutes, then `sweep` may not be done.

    Busy when there was no room for a slice several times in a row.
    """
    refusals = 0
    end = time.monotonic() + LONGEST_SECONDS
    while not sweep.is_done and time.monotonic() < end:
        try:
            seconds = await database.write(sweep.step)
        except Busy as busy:
            refusals += 1
            if refusals >= _MOST_REFUSALS:
                raise
            await pause(busy.retry_after)
        else:
            refusals = 0
            await pause(seconds * REST)
