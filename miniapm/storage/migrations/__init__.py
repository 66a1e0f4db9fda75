"""Numbered `.sql` files, each applied in one transaction with the record that it was.

An existing file is copied beside itself before anything is changed; a file from a newer miniapm is
refused. The record and the mark that the file is ours are part of the same transaction.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from miniapm.clock import to_datetime
from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.connection import (
    APPLICATION_ID,
    LOCK_WAIT_SECONDS,
    Connection,
    file_lock,
    scalar,
)


class Migration(NamedTuple):
    version: int
    name: str
    sql: str


def find_migrations() -> list[Migration]:
    """All that this version of miniapm knows, oldest first."""
    files = sorted(Path(__file__).parent.glob("[0-9]*.sql"))
    return [Migration(int(f.stem[:4]), f.stem, f.read_text(encoding="utf-8")) for f in files]


def migrate(
    connection: Connection,
    path: Path,
    now: int,
    migrations: list[Migration] | None = None,
) -> None:
    """Brings the file up to date. Unavailable when it is newer than this program, or cannot be."""
    known = find_migrations() if migrations is None else migrations
    # two servers that start at once must not both apply a migration
    with file_lock(path, LOCK_WAIT_SECONDS) as held:
        if not held:
            raise Busy(f"Another process uses the database {path.absolute()}; try again.")
        current = _find_version(connection)
        _refuse_newer(current, known, path)
        pending = [m for m in known if m.version > current]
        if current and pending:
            _copy_before(connection, path, pending[0], now)
        for migration in pending:
            _apply(connection, migration, path, now)


def require_current(connection: Connection, path: Path) -> None:
    """Unavailable unless the file has exactly the schema that this program speaks."""
    known = find_migrations()
    current = _find_version(connection)
    _refuse_newer(current, known, path)
    if current < known[-1].version:
        raise Unavailable(
            f"The database {path.absolute()} has an older layout; start `miniapm serve` once to "
            "bring it up to date (it keeps a copy)."
        )


def require_known(connection: Connection, path: Path) -> int:
    """The layout of the file; Unavailable when it is none of ours or of a newer program."""
    current = _find_version(connection)
    _refuse_newer(current, find_migrations(), path)
    if current == 0:
        raise Unavailable(f"{path.absolute()} is not a miniapm database.")
    return current


def _find_version(connection: Connection) -> int:
    table = scalar(
        connection,
        "/* migrations.find_table */ select name from sqlite_master where name = 'migrations'",
    )
    if table is None:
        return 0
    return int(scalar(connection, "/* migrations.version */ select max(version) from migrations"))


def _refuse_newer(current: int, known: list[Migration], path: Path) -> None:
    if current > known[-1].version:
        raise Unavailable(
            f"The database {path.absolute()} was written by a newer miniapm (layout {current}, "
            f"this one knows up to {known[-1].version}). Install that version again; "
            "nothing was changed."
        )


def _copy_before(connection: Connection, path: Path, migration: Migration, now: int) -> None:
    stamp = to_datetime(now).strftime("%Y%m%dT%H%M%S")
    copy = path.absolute().with_name(f"{path.name}.before-{migration.version:04d}-{stamp}")
    try:
        # what an attempt in the same second left may be cut short
        copy.unlink(missing_ok=True)
        connection.execute("/* migrations.copy */ vacuum into :copy", {"copy": str(copy)})
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(
            f"The copy {copy} that is kept before a new layout could not be made: {error}. "
            "Nothing was changed."
        ) from error


def _apply(connection: Connection, migration: Migration, path: Path, now: int) -> None:
    # executescript commits first, so the transaction has to stand inside the script itself
    script = f"""
        begin immediate;
        {migration.sql}
        insert into migrations (version, name, applied_at)
        values ({migration.version}, '{migration.name}', {now});
        pragma application_id = {APPLICATION_ID};
        commit;
    """
    try:
        connection.executescript(script)
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("rollback")
        raise Unavailable(
            f"The database {path.absolute()} could not be given the layout {migration.name}: "
            f"{error}. Nothing was changed."
        ) from error
