"""One consistent file from a database that may be in use, and a database from such a file.

A copy is made under a temporary name, checked, brought to disk, and only then given its name: what
stands there is always whole.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from miniapm.clock import Clock, to_datetime
from miniapm.exceptions import Busy, Conflict, Invalid, Unavailable
from miniapm.storage.connection import (
    LOCK_WAIT_SECONDS,
    Connection,
    as_busy,
    file_lock,
    open_connection,
    open_existing,
    scalar,
    server_lock,
)
from miniapm.storage.migrations import require_known

_HEADER = b"SQLite format 3\0"
_SIDE_FILES = ("-wal", "-shm", "-journal")


class Copy(NamedTuple):
    """A finished copy. `rows` counts those of each table."""

    path: Path
    size_bytes: int
    layout: int
    rows: dict[str, int]


class Restored(NamedTuple):
    """`kept` is where the database that was there before is now, if there was one."""

    copy: Copy
    kept: Path | None


def back_up(database: Path, target: Path) -> Copy:
    """Writes the whole database to `target`, replacing a file that is there; mode 0600.

    Works while a server runs. Invalid for a target that cannot be one, Busy for a full disk.
    """
    target, database = target.resolve(), database.resolve()
    _refuse_target(target, database)
    with open_existing(database) as connection, _written_beside(target, ".tmp") as beside:
        _vacuum_into(connection, beside)
        try:
            copy = check_copy(beside)
        except Invalid as error:
            raise Unavailable(
                f"The copy of {database} was not kept: {error.message} `miniapm doctor` says more."
            ) from error
    return copy._replace(path=target)


def restore(database: Path, source: Path, clock: Clock) -> Restored:
    """Makes `source` the database; what was there is kept beside it.

    Sessions and sign-in links are left out: an old cookie must not sign anybody in. Invalid for a
    source that is no healthy database of ours; Unavailable while a server runs on the database.
    """
    database, source = database.resolve(), source.resolve()
    _refuse_target(database, source)
    with server_lock(database), file_lock(database, LOCK_WAIT_SECONDS) as held:
        if not held:
            raise Busy("Another command is writing to the database; try again in a moment.")
        with _written_beside(database, ".restore", replace=False) as beside:
            _copy_source(source, beside)
            copy = check_copy(beside)
            kept = _keep_old(database, beside, clock()) if database.exists() else None
            beside.replace(database)
            _sync_directory(database)
    return Restored(copy._replace(path=database), kept)


def check_copy(path: Path) -> Copy:
    """Layout and rows of a database file that nobody writes to. Invalid when it is damaged."""
    with closing(_open_still(path)) as connection, _explained(path):
        layout = _require_healthy(connection, path)
        tables = connection.execute(
            """/* backup.find_tables */ select name from sqlite_master
            where type = 'table' and name not like 'sqlite_%' order by name"""
        ).fetchall()
        rows = {
            table: int(scalar(connection, f'/* backup.count */ select count(*) from "{table}"'))
            for (table,) in tables
        }
    return Copy(path.absolute(), path.stat().st_size, layout, rows)


def _require_healthy(connection: Connection, path: Path) -> int:
    """The layout of the database; Invalid when it is damaged or not ours."""
    layout = require_known(connection, path)
    damage = scalar(connection, "PRAGMA quick_check(1)")
    if damage != "ok":
        raise Invalid(f"{path.absolute()} is damaged: {damage}.")
    lost = connection.execute("PRAGMA foreign_key_check").fetchone()
    if lost is not None:
        raise Invalid(
            f"{path.absolute()} is damaged: rows of {lost[0]} refer to rows that are not there."
        )
    return layout


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise as_busy(error) from error
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{path.absolute()} is no healthy miniapm database: {error}.") from error
    except Unavailable as error:
        raise Invalid(error.message) from error


def _open_still(path: Path, *, in_use: bool = False) -> Connection:
    """Reads a file without making any beside it; `in_use` when a -wal belongs to it."""
    if not path.is_file():
        raise Unavailable(f"There is no file {path.absolute()}.")
    mode = "mode=ro" if in_use else "mode=ro&immutable=1"
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            isolation_level=None,
            factory=Connection,
        )
    except sqlite3.Error as error:
        raise Unavailable(f"{path.absolute()} cannot be opened: {error}.") from error


def _copy_source(source: Path, beside: Path) -> None:
    in_use = Path(f"{source}-wal").exists()
    with closing(_open_still(source, in_use=in_use)) as connection, _explained(source):
        _require_healthy(connection, source)
        _vacuum_into(connection, beside)
    with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
        for table in ("sessions", "login_links"):
            connection.execute(f"/* restore.delete_{table} */ delete from {table}")


def _vacuum_into(connection: Connection, beside: Path) -> None:
    try:
        connection.execute("/* backup.copy */ vacuum into :copy", {"copy": str(beside)})
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise Busy(f"The copy cannot be written to {beside.parent}: {error}.") from error
        raise as_busy(error) from error


def _refuse_target(target: Path, other: Path) -> None:
    if target.is_dir():
        raise Invalid(f"{target.absolute()} is a directory; name a file in it.")
    if not target.absolute().parent.is_dir():
        raise Invalid(f"There is no directory {target.absolute().parent}.")
    same = [other, *(Path(f"{other}{end}") for end in (*_SIDE_FILES, "-lock", "-server"))]
    if any(target.absolute() == one.absolute() for one in same) or _is_same(target, other):
        raise Invalid(f"{target.absolute()} is the database itself; name another file.")


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


@contextmanager
def _written_beside(target: Path, mark: str, *, replace: bool = True) -> Iterator[Path]:
    """A file in the same directory that becomes `target` when the block ends well."""
    beside = target.absolute().with_name(f"{target.name}{mark}-{os.getpid()}")
    try:
        # VACUUM INTO takes an empty file, and keeps who may read it
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield beside
        if replace:
            _sync(beside)
            beside.replace(target)
            _sync_directory(target)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _keep_old(database: Path, beside: Path, now: int) -> Path:
    """Sets the old database aside under a second name; the new one takes over who may read it."""
    stamp = to_datetime(now).strftime("%Y%m%dT%H%M%S")
    kept = database.absolute().with_name(f"{database.name}.before-restore-{stamp}")
    if kept.exists():
        raise Conflict(f"There is {kept} already; try again in a second.")
    _fold_log_in(database)
    # a log that could not be folded in must never meet the new database
    for end in _SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{database}{end}").rename(f"{kept}{end}")
    _take_over_owner(beside, database)
    _sync(beside)
    try:
        os.link(database, kept)
    except OSError:  # a file system without links
        shutil.copy2(database, kept)
    return kept


def _fold_log_in(database: Path) -> None:
    # SQLite throws away the log of a file that it does not know
    with database.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return
    with suppress(Unavailable, Busy, sqlite3.Error), closing(open_connection(database)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _take_over_owner(path: Path, old: Path) -> None:
    status = old.stat()
    path.chmod(status.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    _sync(path.absolute().parent)
