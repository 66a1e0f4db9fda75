"""The database of a running server: one writing connection, a few reading ones.

`write` runs a function of a connection in the group commit and returns after it is on disk; `read`
runs one on a reading connection, all its queries in one thread hop, with a time limit.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite

from miniapm.clock import Clock
from miniapm.domain.ids import IdMaker
from miniapm.storage.budget import ByteBudget
from miniapm.storage.connection import (
    Connection,
    Query,
    identify_file,
    open_connection,
    translate_error,
)
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.deploys.record_together import record_together
from miniapm.storage.memory import Memory
from miniapm.storage.migrations import migrate
from miniapm.storage.precedence import Precedence
from miniapm.storage.server_lock import server_lock
from miniapm.storage.spans.names import NameCaps
from miniapm.storage.telemetry import TelemetryStore
from miniapm.storage.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

_OPCODES_BETWEEN_CHECKS = 20_000
_OPCODES_BETWEEN_PAGES = 2_000
_REMEMBERED_BYTES = 32 * 1024 * 1024


class Reader(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread, under a time limit."""

    def __init__(self, path: Path, limit_seconds: float, memory: Memory) -> None:
        super().__init__(partial(self._open, path), iter_chunk_size=64)
        self._limit_seconds = limit_seconds
        self._memory = memory
        self._deadline = 0.0

    def _open(self, path: Path) -> sqlite3.Connection:
        connection = open_connection(path)
        connection.memory = self._memory
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(
            lambda: time.monotonic() > self._deadline, _OPCODES_BETWEEN_CHECKS
        )
        return connection

    async def run(self, query: Callable[..., T], *args: Any) -> T:
        result: T = await self._execute(self._run, query, args)  # type: ignore[no-untyped-call]
        return result

    def _run(self, query: Callable[..., T], args: tuple[Any, ...]) -> T:
        self._deadline = time.monotonic() + self._limit_seconds
        connection = self._conn
        # one snapshot for the whole page: its numbers agree with each other
        connection.execute("BEGIN")
        try:
            return query(connection, *args)
        except sqlite3.OperationalError as error:
            raise translate_error(error) from error
        finally:
            connection.execute("ROLLBACK")


class Database:
    """Hands functions of a connection to the right connection. Made by `open_database`."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        readers: list[Reader],
        telemetry: TelemetryStore,
        precedence: Precedence,
    ) -> None:
        self.path = path
        self.writer = writer
        self.telemetry = telemetry
        self.precedence = precedence
        self._file = identify_file(path)
        self._idle: asyncio.Queue[Reader] = asyncio.Queue()
        for reader in readers:
            self._idle.put_nowait(reader)

    @property
    def is_in_place(self) -> bool:
        """Whether the file at `path` is still ours; if not, what is written now will be lost."""
        return identify_file(self.path) == self._file

    async def write(self, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query(connection, ...)` returns, after its commit. Busy when the queue is full.

        Not for what callers send in any number: it takes no part in the budget of bytes, so that
        full queues hold up neither jobs nor people.
        """
        work = partial(query, **kwargs) if kwargs else query
        return await self.writer.submit(work, *args, size=0)

    async def read(self, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query(connection, ...)` returns. Busy when it takes too long."""
        reader = await self._idle.get()
        try:
            return await reader.run(partial(query, **kwargs) if kwargs else query, *args)
        finally:
            self._idle.put_nowait(reader)


@asynccontextmanager
async def open_database(
    path: Path,
    clock: Clock,
    make_id: IdMaker,
    *,
    readers: int = 3,
    read_seconds: float = 5.0,
    queue_items: int = 8192,
    budget: ByteBudget | None = None,
    caps: NameCaps | None = None,
    precedence: Precedence | None = None,
) -> AsyncIterator[Database]:
    """Creates or migrates the file, then serves it until the block ends.

    Unavailable when another server has the file.
    """
    with server_lock(path):
        connection = await asyncio.to_thread(_open_migrated, path, clock)
        telemetry = await asyncio.to_thread(
            TelemetryStore, connection, clock, make_id, caps or NameCaps()
        )
        writer = Writer(
            connection,
            path,
            max_items=queue_items,
            budget=budget or ByteBudget(),
            together={
                record_announcement: record_together,
                telemetry.record_spans: telemetry.record_spans_together,
            },
            on_rollback=telemetry.forget,
        )
        precedence = precedence or Precedence()
        # in the midst of what takes long, too: SQLite calls it every so many of its steps
        connection.set_progress_handler(precedence.give_way, _OPCODES_BETWEEN_PAGES)
        writer.start()
        opened: list[Reader] = []
        memory = Memory(_REMEMBERED_BYTES)
        try:
            for _ in range(readers):
                reader = Reader(path, read_seconds, memory)
                await reader
                opened.append(reader)
            database = Database(path, writer, opened, telemetry, precedence)
            yield database
        finally:
            for reader in opened:
                await reader.close()
            await writer.close()


def _open_migrated(path: Path, clock: Clock) -> Connection:
    connection = open_connection(path, create=True)
    try:
        migrate(connection, path, clock())
    except BaseException:
        connection.close()
        raise
    return connection
