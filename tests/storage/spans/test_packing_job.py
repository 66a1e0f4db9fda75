"""The job that packs: until nothing is left, and only while the server has little else to do."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from miniapm.domain.ids import IdMaker
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import Scrubber
from miniapm.storage.budget import ByteBudget
from miniapm.storage.connection import Connection, open_connection
from miniapm.storage.database import Database, open_database
from miniapm.storage.precedence import Precedence
from miniapm.storage.projects import Project, insert_project
from miniapm.storage.spans.packing import SLICE_BATCHES
from miniapm.storage.spans.packing_job import (
    BUSY_SHARE,
    LEAST_REST_SECONDS,
    MOST_ON_THE_WAY,
    PackingJob,
)
from tests.conftest import FakeClock
from tests.factories import START
from tests.spans import DEFAULTS, make_trace_id, write_protobuf
from tests.storage.spans.bodies import find_packed, make_spans, read_trace


@asynccontextmanager
async def opened(
    path: Path, clock: FakeClock, batches: int, precedence: Precedence | None = None
) -> AsyncIterator[Database]:
    """A database with so many batches, as senders left it."""
    async with open_database(path, clock, IdMaker(clock), precedence=precedence) as database:
        await database.write(insert_project, Project(1, "shop", "Shop", START))
        for number in range(batches):
            body = write_protobuf(make_spans(number))
            telemetry = read_traces(body, DEFAULTS, clock(), Scrubber())
            await database.write(database.telemetry.record_spans, 1, DEFAULTS, telemetry)
        yield database


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    connection = open_connection(path)
    yield connection
    connection.close()


class Machine:
    """Time that passes while the job rests, of which the server works its part for others; and a
    `slice_seconds` for each look at the time otherwise."""

    def __init__(self, shares: Iterable[float] = (), slice_seconds: float = 0.0) -> None:
        self.rests: list[float] = []
        self.budget = ByteBudget()
        self._shares = chain(shares, repeat(0.0))
        self._slice_seconds = slice_seconds
        self._now = self._worked = 0.0

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self._now += seconds
        self._worked += seconds * next(self._shares)

    def timer(self) -> float:
        self._now += self._slice_seconds
        return self._now

    def cpu_timer(self) -> float:
        return self._worked

    def make_job(self, database: Database, worker: ThreadPoolExecutor) -> PackingJob:
        return PackingJob(
            database,
            worker,
            self.budget,
            rest=self.rest,
            timer=self.timer,
            cpu_timer=self.cpu_timer,
        )


def run(
    path: Path,
    clock: FakeClock,
    batches: int,
    machine: Machine | None = None,
    again: Callable[[PackingJob], Awaitable[None]] | None = None,
) -> list[bool]:
    """What the job does with so many batches: of each, whether it is packed."""

    async def work() -> None:
        async with opened(path, clock, batches) as database:
            with ThreadPoolExecutor(1) as worker:
                job = (machine or Machine()).make_job(database, worker)
                await job.run()
                if again is not None:
                    await again(job)

    asyncio.run(work())
    with reading(path) as connection:
        return find_packed(connection)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "miniapm.db"


def test_it_goes_on_until_nothing_is_left(path: Path, clock: FakeClock) -> None:
    batches = 2 * SLICE_BATCHES + 3
    assert run(path, clock, batches) == [True] * batches
    with reading(path) as connection:
        spans = read_trace(connection, make_trace_id(8 * (batches - 1)))
    assert [span.name for span in spans] == [f"{batches - 1} {place}" for place in range(3)]


def test_it_rests_as_long_as_a_slice_took(path: Path, clock: FakeClock) -> None:
    machine = Machine(slice_seconds=0.5)
    run(path, clock, SLICE_BATCHES + 1, machine)
    assert machine.rests == pytest.approx([LEAST_REST_SECONDS, 0.5, 0.5])
    machine = Machine()
    run(path.with_name("other.db"), clock, 1, machine)
    assert machine.rests == [LEAST_REST_SECONDS] * 2


def test_it_does_nothing_while_the_server_is_busy(path: Path, clock: FakeClock) -> None:
    assert run(path, clock, 3, Machine([BUSY_SHARE])) == [False] * 3


def test_it_does_nothing_while_large_bodies_are_on_their_way(path: Path, clock: FakeClock) -> None:
    machine = Machine()
    machine.budget.take(MOST_ON_THE_WAY + 1)
    assert run(path, clock, 3, machine) == [False] * 3
    machine.budget.give_back(1)
    assert run(path.with_name("other.db"), clock, 3, machine) == [True] * 3


def test_a_little_traffic_does_not_stop_it(path: Path, clock: FakeClock) -> None:
    assert run(path, clock, 3, Machine([BUSY_SHARE * 0.9])) == [True] * 3


def test_it_stops_when_the_server_gets_busy_and_goes_on_from_there(
    path: Path, clock: FakeClock
) -> None:
    seen: list[list[bool]] = []

    async def again(job: PackingJob) -> None:
        with reading(path) as connection:
            seen.append(find_packed(connection))
        await job.run()

    batches = SLICE_BATCHES + 2
    assert run(path, clock, batches, Machine([0.0, 1.0]), again) == [True] * batches
    assert seen == [[True] * SLICE_BATCHES + [False] * 2]


def test_it_does_nothing_while_the_writer_is_behind(path: Path, clock: FakeClock) -> None:
    async def work() -> None:
        async with opened(path, clock, 3) as database:
            held = threading.Event()

            async def rest(seconds: float) -> None:
                assert database.writer.waiting == 1

            with ThreadPoolExecutor(1) as worker:
                behind = asyncio.ensure_future(database.write(lambda connection: held.wait(20)))
                await asyncio.sleep(0)
                await PackingJob(
                    database, worker, ByteBudget(), rest=rest, cpu_timer=lambda: 0.0
                ).run()
                held.set()
                await behind

    asyncio.run(work())
    with reading(path) as connection:
        assert find_packed(connection) == [False] * 3


def test_it_gives_way_to_pages_before_each_body(path: Path, clock: FakeClock) -> None:
    asked: list[str] = []

    class Counting(Precedence):
        def give_way(self) -> None:
            asked.append(threading.current_thread().name)
            super().give_way()

    async def work() -> None:
        async with opened(path, clock, 4, Counting()) as database:
            with ThreadPoolExecutor(1, "packer") as worker:
                await Machine().make_job(database, worker).run()

    asyncio.run(work())
    assert asked.count("packer_0") == 4


def test_what_was_packed_stays_after_a_restart(path: Path, clock: FakeClock) -> None:
    run(path, clock, 3)

    async def restart() -> None:
        async with open_database(path, clock, IdMaker(clock)) as database:
            body = write_protobuf(make_spans(7))
            telemetry = read_traces(body, DEFAULTS, clock(), Scrubber())
            await database.write(database.telemetry.record_spans, 1, DEFAULTS, telemetry)
            # a retry of what is packed by now
            retry = read_traces(write_protobuf(make_spans(1)), DEFAULTS, clock(), Scrubber())
            await database.write(database.telemetry.record_spans, 1, DEFAULTS, retry)

    asyncio.run(restart())
    with reading(path) as connection:
        assert find_packed(connection) == [True, True, True, False]
