"""Whole copies of a database file: made under a temporary name, checked, brought to disk, and only
then given their name, so that what stands there is always whole."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from miniapm.exceptions import Busy, Invalid, Unavailable
from miniapm.storage.connection import Connection, scalar, translate_error
from miniapm.storage.migrations import require_known

SIDE_FILES = ("-wal", "-shm", "-journal")


class Copy(NamedTuple):
    """A finished copy. `rows` counts those of each table."""

    path: Path
    size_bytes: int
    layout: int
    rows: dict[str, int]


def check_copy(path: Path) -> Copy:
    """Layout and rows of a database file that nobody writes to. Invalid when it is damaged."""
    with closing(open_still(path)) as connection, explained(path):
        layout = require_healthy(connection, path)
        tables = connection.execute(
            """/* backup.find_tables */ select name from sqlite_master
            where type = 'table' and name not like 'sqlite_%' order by name"""
        ).fetchall()
        rows = {
            table: int(scalar(connection, f'/* backup.count */ select count(*) from "{table}"'))
            for (table,) in tables
        }
    return Copy(path.absolute(), path.stat().st_size, layout, rows)


def require_healthy(connection: Connection, path: Path) -> int:
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
def explained(path: Path) -> Iterator[None]:
    """Tells SQLite's trouble with the file at `path` in our words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise translate_error(error) from error
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{path.absolute()} is no healthy miniapm database: {error}.") from error
    except Unavailable as error:
        raise Invalid(error.message) from error


def require_file(path: Path) -> None:
    """Unavailable where there is no file."""
    if not path.is_file():
        raise Unavailable(f"There is no file {path.absolute()}.")


def open_still(path: Path, *, in_use: bool = False) -> Connection:
    """Reads a file without making any beside it; `in_use` when a -wal belongs to it."""
    require_file(path)
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


def vacuum_into(connection: Connection, beside: Path) -> None:
    """Fills the empty file `beside`; Busy when there is no room for it."""
    try:
        connection.execute("/* backup.copy */ vacuum into :copy", {"copy": str(beside)})
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise Busy(f"The copy cannot be written to {beside.parent}: {error}.") from error
        raise translate_error(error) from error


def refuse_target(target: Path, other: Path) -> None:
    """Invalid where `target` cannot be written, or is `other` or a file that belongs to it."""
    if target.is_dir():
        raise Invalid(f"{target.absolute()} is a directory; name a file in it.")
    if not target.absolute().parent.is_dir():
        raise Invalid(f"There is no directory {target.absolute().parent}.")
    same = [other, *(Path(f"{other}{end}") for end in (*SIDE_FILES, "-lock", "-server"))]
    if any(target.absolute() == one.absolute() for one in same) or _is_same(target, other):
        raise Invalid(f"{target.absolute()} is the database itself; name another file.")


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


@contextmanager
def written_beside(target: Path, mark: str, *, replace: bool = True) -> Iterator[Path]:
    """A file in the same directory that becomes `target` when the block ends well."""
    beside = target.absolute().with_name(f"{target.name}{mark}-{os.getpid()}")
    try:
        # VACUUM INTO takes an empty file, and keeps who may read it
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield beside
        if replace:
            sync(beside)
            beside.replace(target)
            sync_directory(target)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def sync(path: Path) -> None:
    """Brings a file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Brings the name of a file to disk."""
    sync(path.absolute().parent)
