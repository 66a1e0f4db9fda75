"""The job that packs stored bodies while there is little else to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from miniapm.storage.budget import ByteBudget
from miniapm.storage.database import Database
from miniapm.storage.spans.packing import DueBody, PackedBody, find_due, pack_body, replace_bodies

LOOK_SECONDS = 5.0
BUSY_SHARE = 0.5
"""Of one processor: when the server needs more for others, packing waits."""
LEAST_REST_SECONDS = 0.05
MOST_ON_THE_WAY = 8 * 1024 * 1024
"""Bytes of bodies that are being read and stored: when there are more, memory is theirs."""
_MOST_SLICES = 200


class PackingJob:
    """Goes on slice by slice until nothing is left, or others keep the server busy. It works in
    `worker`, and rests as long as it works: it takes half of a processor at most.

    `timer` counts seconds and never goes back, `cpu_timer` those that the process worked.
    """

    def __init__(
        self,
        database: Database,
        worker: Executor,
        budget: ByteBudget,
        *,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timer: Callable[[], float] = time.monotonic,
        cpu_timer: Callable[[], float] = time.process_time,
    ) -> None:
        self._database = database
        self._worker = worker
        self._budget = budget
        self._rest = rest
        self._timer = timer
        self._cpu_timer = cpu_timer

    async def run(self) -> None:
        seconds = 0.0
        # a run that went on for a quarter of an hour would be taken for one that is stuck
        for _ in range(_MOST_SLICES):
            if not await self._rest_idly(max(seconds, LEAST_REST_SECONDS)):
                return
            began = self._timer()
            if not await self._pack_slice():
                return
            seconds = self._timer() - began

    async def _rest_idly(self, seconds: float) -> bool:
        """Rests so long; whether others left most of the processor and of the memory for bodies,
        and the writer kept up."""
        writer = self._database.writer
        was_waiting = writer.waiting > 0
        began, worked = self._timer(), self._cpu_timer()
        await self._rest(seconds)
        if self._budget.taken > MOST_ON_THE_WAY:
            return False
        share = (self._cpu_timer() - worked) / max(self._timer() - began, seconds)
        return share < BUSY_SHARE and not (was_waiting and writer.waiting > 0)

    async def _pack_slice(self) -> bool:
        """Whether there was anything to do."""
        due = await self._database.read(find_due)
        if due is None:
            return False
        packed = [one for body in due.bodies if (one := await self._work(body)) is not None]
        await self._database.write(replace_bodies, packed, due.reached)
        return True

    async def _work(self, body: DueBody) -> PackedBody | None:
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._pack, body)

    def _pack(self, body: DueBody) -> PackedBody | None:
        self._database.precedence.give_way()
        return pack_body(body)
