"""The table of background jobs (name, period, function) and their supervisor.

A job that fails is logged, shown on `/readyz` and tried again; it never takes the server down.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from miniapm.clock import Clock
from miniapm.storage.jobs import JobRow

log = logging.getLogger(__name__)

TROUBLE_AFTER_FAILURES = 3
TROUBLE_AFTER_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Job:
    """`run` is called every `seconds`, the first time one period after the start."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class JobState:
    """How a job fares. `failures` counts those in a row; `began` is on the supervisor's timer."""

    failures: int = 0
    error: str = ""
    finished_at: int | None = None
    began: float | None = None


class Supervisor:
    """Runs jobs until cancelled. `timer` counts seconds and never goes back."""

    def __init__(self, clock: Clock, timer: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._timer = timer
        self.states: dict[str, JobState] = {}

    async def run(self, jobs: Sequence[Job]) -> None:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._repeat(job), name=job.name)

    async def run_once(self, job: Job) -> None:
        """One run; failures are noted, not raised."""
        state = self.states.setdefault(job.name, JobState())
        state.began = self._timer()
        try:
            await job.run()
        except Exception as error:
            state.failures += 1
            state.error = type(error).__name__
            log.error("job %s failed (%d in a row)", job.name, state.failures, exc_info=error)
        else:
            state.failures = 0
            state.finished_at = self._clock()
        finally:
            state.began = None

    async def _repeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.seconds)
            await self.run_once(job)

    def find_troubles(self) -> list[str]:
        """A sentence for each job that keeps failing, or does not end."""
        failing = [
            f"the job {name} failed {state.failures} times in a row ({state.error})"
            for name, state in self.states.items()
            if state.failures >= TROUBLE_AFTER_FAILURES
        ]
        oldest = self._timer() - TROUBLE_AFTER_SECONDS
        return failing + [
            f"the job {name} has not ended for {(self._timer() - state.began) / 60:.0f} minutes"
            for name, state in self.states.items()
            if state.began is not None and state.began < oldest
        ]

    def list_states(self) -> list[JobRow]:
        """How every job fares that has run."""
        now = self._clock()
        return [
            JobRow(name, state.finished_at, state.failures, state.error, now)
            for name, state in self.states.items()
        ]
