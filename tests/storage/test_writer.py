"""The group commit: on disk when answered, nothing of what failed, no waiting for room."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from miniapm.exceptions import Busy
from miniapm.storage.budget import ByteBudget
from miniapm.storage.connection import LOCK_WAIT_SECONDS, Connection, open_connection
from miniapm.storage.migrations import migrate
from miniapm.storage.once import write_once
from miniapm.storage.writer import GROUP_LIMIT, Writer
from tests.factories import START


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "miniapm.db"
    connection = open_connection(made, create=True)
    migrate(connection, made, START)
    connection.execute("create table things (id integer primary key, body blob) strict")
    connection.close()
    return made


@asynccontextmanager
async def open_writer(
    path: Path, *, max_items: int = 1000, max_bytes: int = 2**20, **pragmas: int
) -> AsyncIterator[Writer]:
    connection = open_connection(path)
    for name, value in pragmas.items():
        connection.execute(f"pragma {name} = {value}")
    writer = Writer(connection, path, max_items=max_items, budget=ByteBudget(max_bytes))
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


def insert(connection: Connection, thing_id: int, size: int = 0) -> int:
    connection.execute("insert into things values (?, ?)", [thing_id, b"x" * size])
    return thing_id


def stored(path: Path) -> list[int]:
    """What a stranger finds in the file."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("select id from things order by id")]
    finally:
        connection.close()


class Gate:
    """Holds the writer's thread inside a submission until it is opened."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(20)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 20)

    def open(self) -> None:
        self._opened.set()


def test_what_is_answered_is_committed(path: Path) -> None:
    async def test() -> None:
        async with open_writer(path) as writer:
            assert await writer.submit(insert, 1) == 1
            assert stored(path) == [1]
            assert writer.waiting == 0

    run(test)


def test_those_that_wait_share_one_commit(path: Path) -> None:
    async def test() -> None:
        gate = Gate()
        async with open_writer(path) as writer:
            statements: list[str] = []
            writer._connection.set_trace_callback(statements.append)
            held = writer.submit(gate)
            await gate.entered()
            waiting = [writer.submit(insert, i) for i in range(200)]
            gate.open()
            await asyncio.gather(held, *waiting)
            assert statements.count("COMMIT") == 2
            assert stored(path) == list(range(200))

    run(test)


def test_a_group_has_an_end(path: Path) -> None:
    async def test() -> None:
        gate = Gate()
        async with open_writer(path, max_items=5000) as writer:
            held = writer.submit(gate)
            await gate.entered()
            waiting = [writer.submit(insert, i) for i in range(GROUP_LIMIT * 2 + 1)]
            gate.open()
            await asyncio.gather(held, *waiting)
            assert len(stored(path)) == GROUP_LIMIT * 2 + 1

    run(test)


def test_large_writes_do_not_hold_up_those_behind_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # every write takes too long
    monkeypatch.setattr("miniapm.storage.writer.GROUP_SECONDS", -1.0)

    async def test() -> None:
        gate = Gate()
        async with open_writer(path) as writer:
            statements: list[str] = []
            writer._connection.set_trace_callback(statements.append)
            held = writer.submit(gate)
            await gate.entered()
            waiting = [writer.submit(insert, i) for i in range(20)]
            closing = asyncio.create_task(writer.close())
            gate.open()
            assert await asyncio.gather(held, *waiting) == [None, *range(20)]
            await closing
            assert statements.count("COMMIT") == 21
        assert stored(path) == list(range(20))

    run(test)


def test_one_bad_submission_does_not_hurt_its_neighbours(path: Path) -> None:
    def half_done(connection: Connection) -> None:
        insert(connection, 50)
        raise ValueError("no")

    def end_of_nothing(connection: Connection) -> None:
        next(iter(()))

    async def test() -> None:
        gate = Gate()
        async with open_writer(path) as writer:
            held = writer.submit(gate)
            await gate.entered()
            first = writer.submit(insert, 1)
            bad = writer.submit(half_done)
            same = writer.submit(insert, 1)
            stop = writer.submit(end_of_nothing)
            last = writer.submit(insert, 2)
            gate.open()
            results = await asyncio.gather(
                held, first, bad, same, stop, last, return_exceptions=True
            )
        kinds = [type(result) for result in results]
        assert kinds == [
            type(None),
            int,
            ValueError,
            sqlite3.IntegrityError,
            RuntimeError,
            int,
        ]
        assert stored(path) == [1, 2]

    run(test)


def test_a_full_queue_refuses_at_once(path: Path) -> None:
    async def test() -> None:
        gate = Gate()
        async with open_writer(path, max_items=3, max_bytes=1_000_000) as writer:
            held = writer.submit(gate, size=1)
            await gate.entered()
            large = writer.submit(insert, 1, size=900_000)
            with pytest.raises(Busy, match="More is coming in") as caught:
                writer.submit(insert, 2, size=100_000)
            assert caught.value.retry_after == 1
            small = writer.submit(insert, 3, size=10)
            with pytest.raises(Busy):
                writer.submit(insert, 4, size=1)
            assert writer.waiting == 3
            gate.open()
            await asyncio.gather(held, large, small)
            assert writer.waiting == 0
            # the room is given back
            await writer.submit(insert, 5, size=999_999)
        assert stored(path) == [1, 3, 5]

    run(test)


def test_closing_commits_what_waits_and_takes_no_more(path: Path) -> None:
    async def test() -> None:
        gate = Gate()
        async with open_writer(path) as writer:
            held = writer.submit(gate)
            await gate.entered()
            waiting = [writer.submit(insert, i) for i in range(20)]
            closing = asyncio.create_task(writer.close())
            await asyncio.sleep(0)
            with pytest.raises(Busy, match="stopping"):
                writer.submit(insert, 99)
            assert writer.is_closing
            gate.open()
            await closing
            await asyncio.gather(held, *waiting)
        assert stored(path) == list(range(20))
        assert path.with_name("miniapm.db-wal").exists() is False

    run(test)


def test_a_waiter_that_leaves_hurts_nobody(path: Path) -> None:
    async def test() -> None:
        gate = Gate()
        async with open_writer(path) as writer:
            held = writer.submit(gate)
            await gate.entered()
            gone = writer.submit(insert, 1)
            stays = writer.submit(insert, 2)
            gone.cancel()
            gate.open()
            await asyncio.gather(held, stays)
        assert stored(path) == [1, 2]

    run(test)


def test_a_full_disk_is_busy_for_all_and_passes(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        gate = Gate()
        connection = open_connection(path)
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.close()
        async with open_writer(path, max_page_count=pages + 10) as writer:
            held = writer.submit(gate)
            await gate.entered()
            waiting = [writer.submit(insert, i, 20_000) for i in range(5)]
            gate.open()
            results = await asyncio.gather(held, *waiting, return_exceptions=True)
            answered = [r for r in results if isinstance(r, int)]
            refused = [r for r in results if isinstance(r, Busy)]
            assert refused
            assert all("disk is full" in r.message and r.retry_after == 30 for r in refused)
            # what was answered is there, what was refused is not
            assert stored(path) == answered
            writer._connection.execute("pragma max_page_count = 1000000")
            assert await writer.submit(insert, 77, 20_000) == 77
        assert 77 in stored(path)

    with caplog.at_level(logging.CRITICAL):
        run(test)


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
connection.execute("insert into things values (1000, null)")
print("held", flush=True)
sys.stdin.readline()
connection.execute("commit")
"""


def hold(path: Path) -> "subprocess.Popen[bytes]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_a_foreign_writer_is_waited_for(path: Path) -> None:
    async def test() -> None:
        async with open_writer(path, busy_timeout=50) as writer:
            with hold(path) as holder:
                waiting = [writer.submit(insert, i) for i in range(10)]
                # longer than SQLite itself waits here
                _, pending = await asyncio.wait(waiting, timeout=0.3)
                assert len(pending) == 10
                await asyncio.to_thread(holder.communicate, b"\n")
                assert await asyncio.gather(*waiting) == list(range(10))
        assert stored(path) == [*range(10), 1000]

    run(test)


def test_a_foreign_writer_that_never_ends_is_busy_in_our_words(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("miniapm.storage.writer.SLOWEST_LOCK_SECONDS", 0.1)

    async def test() -> None:
        async with open_writer(path, busy_timeout=20) as writer:
            with hold(path) as holder:
                with pytest.raises(Busy, match="in use by another process"):
                    await writer.submit(insert, 1)
                await asyncio.to_thread(holder.communicate, b"\n")
            assert await writer.submit(insert, 1) == 1

    with caplog.at_level(logging.CRITICAL):
        run(test)


def test_commands_write_beside_it(path: Path) -> None:
    async def test() -> None:
        async with open_writer(path) as writer:
            commands = [asyncio.to_thread(write_once, path, insert, 100 + i) for i in range(20)]
            ours = [writer.submit(insert, i) for i in range(20)]
            await asyncio.gather(*commands, *ours)
        assert len(stored(path)) == 40

    run(test)


def test_a_reader_who_stays_does_not_hold_up_the_exit(path: Path) -> None:
    async def test() -> None:
        stranger = sqlite3.connect(path, isolation_level=None)
        try:
            async with open_writer(path) as writer:
                await writer.submit(insert, 1)
                stranger.execute("begin")
                stranger.execute("select * from things").fetchall()
                await writer.submit(insert, 2)
                began = time.monotonic()
            assert time.monotonic() - began < 3
        finally:
            stranger.close()
        assert stored(path) == [1, 2]

    run(test)


def test_checkpoints_keep_the_log_short(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miniapm.storage.writer.CHECKPOINT_SECONDS", 0.0)
    wal = path.with_name("miniapm.db-wal")

    async def test() -> None:
        async with open_writer(path, max_bytes=2**30) as writer:
            for i in range(60):
                # what a checkpoint copied is written over
                await writer.submit(insert, i, 200_000)
            assert wal.stat().st_size < 60 * 200_000

    run(test)


@pytest.mark.parametrize(("seconds", "is_cleared"), [(0.0, True), (1000.0, False)])
def test_the_log_is_cleared_now_and_then(
    path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, is_cleared: bool
) -> None:
    """What was erased would stay in the end of a long log for as long as only little is written."""
    monkeypatch.setattr("miniapm.storage.writer.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("miniapm.storage.writer.TRUNCATE_SECONDS", seconds)
    wal = path.with_name("miniapm.db-wal")

    def measure(connection: Connection) -> int:
        return wal.stat().st_size

    async def test() -> None:
        async with open_writer(path) as writer:
            await writer.submit(insert, 1, 200_000)
            assert (await writer.submit(measure) == 0) is is_cleared

    run(test)


def test_a_reader_only_postpones_the_clearing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miniapm.storage.writer.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("miniapm.storage.writer.TRUNCATE_SECONDS", 0.0)
    wal = path.with_name("miniapm.db-wal")

    def measure(connection: Connection) -> tuple[int, int]:
        [timeout] = connection.execute("pragma busy_timeout").fetchone()
        return wal.stat().st_size, timeout

    async def test() -> None:
        stranger = sqlite3.connect(path, isolation_level=None)
        async with open_writer(path) as writer:
            stranger.execute("begin")
            stranger.execute("select count(*) from things").fetchone()
            await writer.submit(insert, 1, 200_000)
            size, timeout = await writer.submit(measure)
            assert (size > 200_000, timeout) == (True, LOCK_WAIT_SECONDS * 1000)
            stranger.close()
            await writer.submit(insert, 2)
            assert await writer.submit(measure) == (0, timeout)

    run(test)


def test_trouble_with_the_lock_file_only_postpones_the_checkpoint(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miniapm.storage.writer.CHECKPOINT_SECONDS", 0.0)
    path.with_name("miniapm.db-lock").unlink(missing_ok=True)
    path.with_name("miniapm.db-lock").mkdir()

    async def test() -> None:
        async with open_writer(path) as writer:
            await writer.submit(insert, 1)
            await writer.submit(insert, 2)

    run(test)
    assert "the checkpoint waits" in caplog.text
    assert stored(path) == [1, 2]
