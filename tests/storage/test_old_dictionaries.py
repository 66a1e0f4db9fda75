"""Old dictionaries go with the last body that needs them, and no body ever lacks its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from miniapm.clock import DAY, HOUR
from miniapm.domain.ids import IdMaker
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.compression import (
    HEADER_BYTES,
    Dictionary,
    compress_plain,
    dictionary_of,
    train_dictionary,
)
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.database import Database, open_database
from miniapm.storage.projects import Project, insert_project
from miniapm.storage.retention.dictionaries import PAGE_BATCHES, delete_unneeded, find_needed
from miniapm.storage.retention.job import RetentionJob
from miniapm.storage.spans.dictionaries import (
    Bodies,
    DictionaryKey,
    delete_dictionaries,
    find_latest_dictionary,
    find_replaced,
    insert_dictionary,
)
from tests.conftest import FakeClock
from tests.factories import KEPT, START
from tests.spans import DEFAULTS, write_protobuf
from tests.storage.spans.bodies import make_spans


@pytest.fixture(scope="module")
def trained() -> tuple[Dictionary, Dictionary, Dictionary]:
    """Three, as they follow each other."""
    made = [
        train_dictionary(write_protobuf(make_spans(number)) for number in range(low, low + 100))
        for low in (0, 100, 200)
    ]
    first, second, third = (one for one in made if one is not None)
    return first, second, third


class Deployed:
    """A server's database over months, with its retention."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.job = RetentionJob(database, clock, KEPT)
        self.sent = 0

    async def learn(self, dictionary: Dictionary) -> None:
        store = self.database.telemetry
        await self.database.write(store.add_dictionary, 1, dictionary)
        store.use_dictionary(1, dictionary)

    async def send(self) -> None:
        """A batch, compressed as senders find it now."""
        self.sent += 1
        now = self.clock()
        body = write_protobuf(one._replace(started_at=now) for one in make_spans(self.sent))
        store = self.database.telemetry
        telemetry = read_traces(body, DEFAULTS, now, Scrubber(), compress=store.find_compress(1))
        await self.database.write(store.record_spans, 1, DEFAULTS, telemetry)
        await self.database.write(store.flush)

    async def sweep(self, hours: int = 1) -> None:
        for _ in range(hours):
            self.clock.move(HOUR)
            await self.job.run()

    async def kept(self) -> set[int]:
        return await self.database.read(find_ids)

    async def needed(self) -> list[int]:
        """Of each stored body the dictionary that it needs; all of them open."""
        return await self.database.read(open_all)


def find_ids(connection: Connection) -> set[int]:
    rows = connection.execute("select id from span_dictionaries where project_id = 1")
    return {row["id"] for row in rows}


def open_all(connection: Connection) -> list[int]:
    bodies = Bodies(connection, 1)
    rows = connection.execute("select format, defaults, body from span_batches order by id")
    stored = list(map(bodies.stored, rows))
    assert all(one.open() for one in stored)
    return [dictionary_of(one.body) for one in stored]


@asynccontextmanager
async def opened(path: Path, clock: FakeClock) -> AsyncIterator[Deployed]:
    async with open_database(path, clock, IdMaker(clock)) as database:
        yield Deployed(database, clock)


def run(path: Path, clock: FakeClock, *parts: Callable[[Deployed], Awaitable[None]]) -> None:
    """Each part is a server's life."""

    async def work() -> None:
        for number, part in enumerate(parts):
            async with opened(path, clock) as deployed:
                if not number:
                    await deployed.database.write(insert_project, Project(1, "shop", "Shop", START))
                await part(deployed)

    asyncio.run(work())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "miniapm.db"


def test_it_goes_when_the_last_body_that_needs_it_has_gone(
    path: Path, clock: FakeClock, trained: tuple[Dictionary, ...]
) -> None:
    first, second, _ = trained

    async def work(deployed: Deployed) -> None:
        await deployed.send()
        await deployed.learn(first)
        await deployed.send()
        clock.move(30 * DAY)
        await deployed.send()
        await deployed.learn(second)
        await deployed.send()
        await deployed.sweep(2)
        assert await deployed.needed() == [first.id, second.id]
        assert await deployed.kept() == {first.id, second.id}
        clock.move(7 * DAY)
        await deployed.send()
        await deployed.sweep(2)
        assert await deployed.needed() == [second.id]
        assert await deployed.kept() == {second.id}
        await deployed.send()
        assert await deployed.needed() == [second.id] * 2

    run(path, clock, work)


def test_a_body_keeps_it_however_long_ago_it_was_replaced(
    path: Path, clock: FakeClock, trained: tuple[Dictionary, ...]
) -> None:
    """Compressed with the first, long on its way, or kept by a retention that was behind."""
    first, _, third = trained

    async def work(deployed: Deployed) -> None:
        for dictionary in trained:
            await deployed.learn(dictionary)
            clock.move(30 * DAY)
        await deployed.send()
        deployed.database.telemetry.use_dictionary(1, first)
        await deployed.send()
        await deployed.sweep(3)
        assert await deployed.needed() == [third.id, first.id]
        assert await deployed.kept() == {first.id, third.id}

    run(path, clock, work)


def test_one_that_was_just_replaced_stays_for_what_is_on_its_way(
    path: Path, clock: FakeClock, trained: tuple[Dictionary, ...]
) -> None:
    """The clock may jump a month at once: a body that was compressed before it is stored after."""
    first, second, _ = trained

    async def work(deployed: Deployed) -> None:
        await deployed.learn(first)
        await deployed.learn(second)
        clock.move(30 * DAY)
        await deployed.sweep()
        assert await deployed.kept() == {first.id, second.id}
        deployed.database.telemetry.use_dictionary(1, first)
        await deployed.send()
        await deployed.send()
        await deployed.sweep()
        assert first.id in await deployed.needed()
        assert await deployed.kept() == {first.id, second.id}

    async def restarted(deployed: Deployed) -> None:
        clock.move(8 * DAY)
        await deployed.sweep()
        assert await deployed.kept() == {first.id, second.id}
        await deployed.sweep()
        assert await deployed.kept() == {second.id}

    run(path, clock, work, restarted)


def test_the_latest_stays_though_nothing_needs_it(
    path: Path, clock: FakeClock, trained: tuple[Dictionary, ...]
) -> None:
    async def work(deployed: Deployed) -> None:
        await deployed.learn(trained[0])
        clock.move(365 * DAY)
        await deployed.sweep(3)
        assert await deployed.kept() == {trained[0].id}

    run(path, clock, work)


def test_each_project_has_its_own(connection: Connection, trained: tuple[Dictionary, ...]) -> None:
    first, second, third = trained
    for project_id, at, dictionary in (
        (1, 10, first),
        (1, 20, second),
        (1, 30, third),
        (2, 10, second),
        (2, 40, first),
    ):
        insert_dictionary(connection, project_id, dictionary, at)
    assert find_replaced(connection, 20) == set()
    assert find_replaced(connection, 21) == {(1, first.id)}
    everyone = {
        DictionaryKey(1, first.id),
        DictionaryKey(1, second.id),
        DictionaryKey(2, second.id),
    }
    assert find_replaced(connection, 99) == everyone
    delete_dictionaries(connection, {DictionaryKey(1, second.id)})
    assert find_replaced(connection, 99) == everyone - {(1, second.id)}


def test_what_is_made_last_is_the_latest_though_the_clock_was_set_back(
    connection: Connection, trained: tuple[Dictionary, ...]
) -> None:
    """It is what new bodies are compressed with, so it must not be taken for an old one."""
    first, second, third = trained
    insert_dictionary(connection, 1, first, START)
    insert_dictionary(connection, 1, second, START - DAY)
    insert_dictionary(connection, 1, third, START - DAY)
    latest = find_latest_dictionary(connection, 1)
    assert latest is not None
    assert latest.id == third.id
    assert find_replaced(connection, START + DAY) == {(1, first.id), (1, second.id)}


def insert_bodies(connection: Connection, project_id: int, bodies: Mapping[int, bytes]) -> None:
    """By the ids of their batches."""
    with transaction(connection):
        connection.executemany(
            """insert into span_batches (id, project_id, started_at, ended_at, span_count, format,
                digest, defaults, body) values (?, ?, 0, 0, 1, 'protobuf', x'', '', ?)""",
            [(batch_id, project_id, body) for batch_id, body in bodies.items()],
        )


def test_what_came_after_the_look_keeps_its_own(
    connection: Connection, trained: tuple[Dictionary, ...]
) -> None:
    first, second, third = trained
    for at, dictionary in enumerate(trained):
        insert_dictionary(connection, 1, dictionary, at)
    insert_bodies(connection, 1, {1: third.compress(b"x"), 2: first.compress(b"x")})
    wanted = {DictionaryKey(1, first.id), DictionaryKey(1, second.id)}
    assert delete_unneeded(connection, wanted, 1)
    assert find_ids(connection) == {first.id, third.id}


def test_more_than_a_page_that_came_after_the_look_is_looked_at_beside_the_writer(
    connection: Connection, trained: tuple[Dictionary, ...]
) -> None:
    first, second, _ = trained
    insert_dictionary(connection, 1, first, 1)
    insert_dictionary(connection, 1, second, 2)
    insert_bodies(connection, 1, dict.fromkeys(range(1, PAGE_BATCHES + 2), compress_plain(b"")))
    assert not delete_unneeded(connection, {DictionaryKey(1, first.id)}, 1)
    assert find_ids(connection) == {first.id, second.id}
    assert delete_unneeded(connection, {DictionaryKey(1, first.id)}, 2)
    assert find_ids(connection) == {second.id}


def test_what_stood_in_it_stands_nowhere_in_the_file(
    connection: Connection, tmp_path: Path, trained: tuple[Dictionary, ...]
) -> None:
    connection.execute("PRAGMA secure_delete = OFF").fetchone()
    first, second, _ = trained
    insert_dictionary(connection, 1, first, 1)
    insert_dictionary(connection, 1, second, 2)
    piece = first.content[-200:-100]
    seen = []
    for _ in range(2):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        seen.append(piece in (tmp_path / "miniapm.db").read_bytes())
        delete_dictionaries(connection, find_replaced(connection, 3))
    assert seen == [True, False]


def test_bodies_are_looked_through_page_by_page(
    connection: Connection, trained: tuple[Dictionary, ...]
) -> None:
    first, second, _ = trained
    frames = {
        PAGE_BATCHES + 5: second.compress(b"x" * 5000),
        PAGE_BATCHES + 9: first.compress(b""),
    }
    plain = compress_plain(b"y" * 300)
    insert_bodies(connection, 1, {n: frames.get(n, plain) for n in range(1, PAGE_BATCHES + 8)})
    insert_bodies(connection, 2, {PAGE_BATCHES + 9: frames[PAGE_BATCHES + 9]})
    wanted = {DictionaryKey(1, one.id) for one in trained}
    assert find_needed(connection, wanted, -1) == (set(), PAGE_BATCHES, False)
    # what another project's body needs is that project's
    assert find_needed(connection, wanted, PAGE_BATCHES) == (
        {(1, second.id)},
        PAGE_BATCHES + 9,
        True,
    )
    # and once all are found to be needed, the rest does not matter
    page = find_needed(connection, {DictionaryKey(1, second.id)}, PAGE_BATCHES)
    assert page == ({(1, second.id)}, PAGE_BATCHES + 5, False)
    assert find_needed(connection, wanted, PAGE_BATCHES + 9) == (set(), PAGE_BATCHES + 9, True)


def test_large_bodies_make_small_pages(connection: Connection) -> None:
    insert_bodies(connection, 1, {n: bytes(3 * 1024 * 1024) for n in range(1, 6)})
    wanted = {DictionaryKey(1, 5)}
    assert find_needed(connection, wanted, -1) == (set(), 3, False)
    assert find_needed(connection, wanted, 3) == (set(), 5, True)


def test_the_head_of_a_body_tells_what_it_needs(trained: tuple[Dictionary, ...]) -> None:
    for body in (b"", b"x" * 200, b"x" * 70_000, b"x" * 5_000_000):
        for frame in (trained[0].compress(body), trained[0].compress_well(body)):
            assert dictionary_of(frame[:HEADER_BYTES]) == trained[0].id
        assert dictionary_of(compress_plain(body)[:HEADER_BYTES]) == 0
