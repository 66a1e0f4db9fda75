"""Opening the one SQLite file: the same settings on every connection, and the lock that all share.

`file_lock` is held by whoever checkpoints, and by the command line while it writes: no checkpoint
ever runs beside a foreign write, which is what sets off SQLite's WAL-reset bug (3.7.0 to 3.51.2).
"""

import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from miniapm.exceptions import Busy, NotFound, Unavailable
from miniapm.storage.memory import Memory

P = ParamSpec("P")
T = TypeVar("T")

Row = sqlite3.Row
_NAME = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@cache
def _by_position(sql: str) -> tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]]]:
    """`sql` with `?1` for its first `:name` and so on, and what picks the values in that order."""
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    numbered = _NAME.sub(lambda match: f"?{names.index(match[1]) + 1}", sql)
    if len(names) > 1:
        return numbered, itemgetter(*names)
    return numbered, lambda values: [values[name] for name in names]


class Connection(sqlite3.Connection):
    """Binds `:name` parameters by position: sqlite3 looks every name up anew on every run, which
    doubled the cost of inserting a deploy.

    `memory` is what those who read by it remember: nothing, unless it is set.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.memory = Memory(0)

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if type(parameters) is dict:
            sql, pick = _by_position(sql)
            parameters = pick(parameters)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        """Rows are mappings, or tuples in the order in which the names first stand in `sql`."""
        sql, pick = _by_position(sql)
        rows = (v if isinstance(v, tuple) else pick(v) for v in parameters)
        return super().executemany(sql, rows)


Query = Callable[Concatenate[Connection, P], T]

APPLICATION_ID = 0x6D61706D  # "mapm": lets `file` and us tell the database from any other
LOCK_WAIT_SECONDS = 10.0


def require_regular(path: Path) -> None:
    """Unavailable for what can be no database: a directory, a device, a pipe."""
    where = path.absolute()
    if where.is_dir():
        raise Unavailable(
            f"{where} is a directory; name a file in it, such as {where / 'miniapm.db'}."
        )
    if where.exists() and not where.is_file():
        raise Unavailable(f"{where} is no regular file, so it can be no database; name another.")


def open_connection(path: Path, *, create: bool = False) -> Connection:
    """A connection in autocommit mode. Unavailable names the absolute path when it cannot be."""
    require_regular(path)
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
            factory=Connection,
        )
    except sqlite3.Error as error:
        raise Unavailable(f"The database {where} cannot be opened: {error}.") from error
    connection.row_factory = sqlite3.Row
    try:
        _refuse_foreign(connection, where)
        _apply_settings(connection)
    except sqlite3.Error as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError) and isinstance(translate_error(error), Busy):
            raise translate_error(error) from error
        raise Unavailable(
            f"{where} is not a miniapm database or cannot be used: {error}."
        ) from error
    except Unavailable:
        connection.close()
        raise
    return connection


def _refuse_foreign(connection: Connection, where: Path) -> None:
    """Before any setting is made: some stay in the file, and it may be somebody else's."""
    # in this order: a server that starts meanwhile makes both in one transaction
    is_used = scalar(connection, "/* migrations.find_any */ select count(*) from sqlite_master")
    if is_used and scalar(connection, "PRAGMA application_id") != APPLICATION_ID:
        raise Unavailable(f"{where} is a SQLite file, but not a miniapm database.")


def _apply_settings(connection: Connection) -> None:
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA temp_store = MEMORY")


def _enter_wal(connection: Connection) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while scalar(connection, "PRAGMA journal_mode") != "wal":
        # the switch does not wait for a lock as other statements do
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not isinstance(translate_error(error), Busy) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def identify_file(path: Path) -> tuple[int, int] | None:
    """Which file stands at `path`, by device and inode; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def file_lock(path: Path, wait_seconds: float, name: str = "lock") -> Iterator[bool]:
    """Tries for the lock `<path>-<name>` beside the database; yields whether it was had.

    The kernel releases it when the process ends, however it ends. Unavailable beside what can be no
    database: it makes nothing there.
    """
    require_regular(path)
    where = f"{path.resolve()}-{name}"
    try:
        # in a directory that others may write to, a link could lead anywhere
        descriptor = os.open(where, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unavailable(f"The file {where} cannot be made: {error.strerror}.") from error
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


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE ... COMMIT; rolled back when the block raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise translate_error(error) from error
        raise


def translate_error(error: sqlite3.Error) -> Exception:
    """SQLite's own trouble in our words; what is not trouble but a mistake stays as it is."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Busy("The database is in use by another process; try again in a moment.")
    if code == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return NotFound("The project was deleted meanwhile.")
    if code.startswith("SQLITE_FULL"):
        return Busy("The disk is full: nothing was stored. Free some space and send again.", 30)
    if code.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return Busy(f"The database cannot be written now ({code}).", 30)
    if code == "SQLITE_INTERRUPT":
        return Busy("The query took too long and was stopped; ask for a shorter time.", 5)
    return error


def scalar(connection: Connection, sql: str, **values: Any) -> Any:
    """The first column of the first row, or None."""
    row = connection.execute(sql, values).fetchone()
    return None if row is None else row[0]
