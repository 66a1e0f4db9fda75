"""How the command line uses the database: a connection for one call, beside a running server."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.connection import (
    LOCK_WAIT_SECONDS,
    Connection,
    Query,
    file_lock,
    open_connection,
    transaction,
)
from miniapm.storage.migrations import require_current
from miniapm.storage.server_lock import is_served

P = ParamSpec("P")
T = TypeVar("T")


def write_once(path: Path, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `query` in one short transaction of its own: how the command line writes.

    Works beside a running server. Busy when the file stays locked for longer than anyone should.
    """
    with open_existing(path) as connection, write_lock(path), transaction(connection):
        return query(connection, *args, **kwargs)


@contextmanager
def open_writer(
    path: Path, pause: Callable[[float], None] = time.sleep
) -> Iterator[Callable[[Callable[[Connection], T]], T]]:
    """What runs one query after the other as `write_once` does, each in a transaction of its own,
    on one connection: opening and closing one costs as much as writing some hundred rows.

    Beside a server it rests after each for as long as it held the file: SQLite gives the file to
    whoever asks when it is free, and who waits asks ten times a second, so the server could find it
    taken for seconds.
    """
    with open_existing(path) as connection:

        def write(query: Callable[[Connection], T]) -> T:
            with write_lock(path), transaction(connection):
                began = time.perf_counter()
                result = query(connection)
            if is_served(path):
                pause(time.perf_counter() - began)
            return result

        yield write


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Held by the command line while it writes, one short transaction at a time."""
    with file_lock(path, LOCK_WAIT_SECONDS) as held:
        if not held:
            raise Busy("Another command is writing to the database; try again in a moment.")
        yield


def rehearse_once(path: Path, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """As `write_once`, but nothing stays written: what a dry run tells."""
    with open_existing(path) as connection, write_lock(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            return query(connection, *args, **kwargs)
        finally:
            connection.execute("ROLLBACK")


def read_once(path: Path, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `query` on a connection of its own, for the command line."""
    with open_existing(path) as connection:
        connection.execute("PRAGMA query_only = ON")
        return query(connection, *args, **kwargs)


@contextmanager
def open_existing(path: Path) -> Iterator[Connection]:
    """An existing, up-to-date database; closed at the end."""
    connection = open_connection(path)
    try:
        require_current(connection, path)
        yield connection
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Unavailable(
                f"The database {path.absolute()} is damaged: {error}. "
                "`miniapm restore` puts a backup in its place."
            ) from error
        raise
    finally:
        connection.close()
