"""Opening the one SQLite file: the same settings on every connection, and the lock that all share.

`file_lock` is held by whoever checkpoints, and by the command line while it writes: no checkpoint
ever runs beside a foreign write, which is what sets off SQLite's WAL-reset bug (3.7.0 to 3.51.2).
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from miniapm.exceptions import Busy, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

Connection = sqlite3.Connection
Row = sqlite3.Row
Query = Callable[Concatenate[sqlite3.Connection, P], T]

APPLICATION_ID = 0x6D61706D  # "mapm": lets `file` and us tell the database from any other
LOCK_WAIT_SECONDS = 10.0


def open_connection(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode. Unavailable names the absolute path when it cannot be."""
    where = path.absolute()
    if not create and not where.is_file():
        raise Unavailable(
            f"There is no database at {where}. `miniapm serve` creates one; "
            "--db PATH names another."
        )
    mode = "rwc" if create else "rw"
    try:
        connection = sqlite3.connect(
            f"{where.as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=LOCK_WAIT_SECONDS,
            cached_statements=512,
        )
    except sqlite3.Error as error:
        raise Unavailable(f"The database {where} cannot be opened: {error}.") from error
    connection.row_factory = sqlite3.Row
    try:
        _apply_settings(connection)
    except sqlite3.Error as error:
        connection.close()
        raise Unavailable(
            f"{where} is not a miniapm database or cannot be used: {error}."
        ) from error
    return connection


def _apply_settings(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA temp_store = MEMORY")


@contextmanager
def file_lock(path: Path, wait_seconds: float) -> Iterator[bool]:
    """Tries for the lock beside the database; yields whether it was had."""
    descriptor = os.open(f"{path.absolute()}-lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = _try_lock(descriptor, time.monotonic() + wait_seconds)
        yield held
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def write_once(path: Path, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `query` in one short transaction of its own: how the command line writes.

    Works beside a running server. Busy when the file stays locked for longer than anyone should.
    """
    with open_existing(path) as connection, file_lock(path, LOCK_WAIT_SECONDS) as held:
        if not held:
            raise Busy("Another command is writing to the database; try again in a moment.")
        with transaction(connection):
            return query(connection, *args, **kwargs)


def read_once(path: Path, query: "Query[P, T]", *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `query` on a connection of its own, for the command line."""
    with open_existing(path) as connection:
        connection.execute("PRAGMA query_only = ON")
        return query(connection, *args, **kwargs)


@contextmanager
def open_existing(path: Path) -> Iterator[sqlite3.Connection]:
    """An existing, up-to-date database; closed at the end."""
    from miniapm.storage.migrations import require_current

    connection = open_connection(path)
    try:
        require_current(connection, path)
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE ... COMMIT; rolled back when the block raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise as_busy(error) from error
        raise


def as_busy(error: sqlite3.OperationalError) -> Exception:
    """SQLite's own trouble in our words; what is not trouble but a mistake stays as it is."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Busy("The database is in use by another process; try again in a moment.")
    if code.startswith("SQLITE_FULL"):
        return Busy("The disk is full: nothing was stored. Free some space and send again.", 30)
    if code.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return Busy(f"The database cannot be written now ({code}).", 30)
    if code == "SQLITE_INTERRUPT":
        return Busy("The query took too long and was stopped; ask for a shorter time.", 5)
    return error


def scalar(connection: sqlite3.Connection, sql: str, **values: Any) -> Any:
    """The first column of the first row, or None."""
    row = connection.execute(sql, values).fetchone()
    return None if row is None else row[0]
