"""Numbered `.sql` files, each applied in one transaction with the record that it was.

An existing file is copied beside itself before anything is changed; a file from a newer miniapm is
refused.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from miniapm.clock import to_datetime
from miniapm.exceptions import Unavailable
from miniapm.storage.connection import APPLICATION_ID, scalar


class Migration(NamedTuple):
    version: int
    name: str
    sql: str


def find_migrations() -> list[Migration]:
    """All that this version of miniapm knows, oldest first."""
    files = sorted(Path(__file__).parent.glob("[0-9]*.sql"))
    return [Migration(int(f.stem[:4]), f.stem, f.read_text(encoding="utf-8")) for f in files]


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    now: int,
    migrations: list[Migration] | None = None,
) -> None:
    """Brings the file up to date. Unavailable when it is newer than this program or not ours."""
    known = find_migrations() if migrations is None else migrations
    current = _find_version(connection, path)
    _refuse_newer(current, known, path)
    pending = [m for m in known if m.version > current]
    if current and pending:
        _copy_before(connection, path, pending[0], now)
    for migration in pending:
        _apply(connection, migration, now)


def require_current(connection: sqlite3.Connection, path: Path) -> None:
    """Unavailable unless the file has exactly the schema that this program speaks."""
    known = find_migrations()
    current = _find_version(connection, path)
    _refuse_newer(current, known, path)
    if current < known[-1].version:
        raise Unavailable(
            f"The database {path.absolute()} has an older layout; start `miniapm serve` once to "
            "bring it up to date (it keeps a copy)."
        )


def _find_version(connection: sqlite3.Connection, path: Path) -> int:
    table = scalar(
        connection,
        "/* migrations.find_table */ select name from sqlite_master where name = 'migrations'",
    )
    if table is None:
        if scalar(connection, "/* migrations.find_any */ select count(*) from sqlite_master"):
            raise Unavailable(f"{path.absolute()} is a SQLite file, but not a miniapm database.")
        return 0
    return int(scalar(connection, "/* migrations.version */ select max(version) from migrations"))


def _refuse_newer(current: int, known: list[Migration], path: Path) -> None:
    if current > known[-1].version:
        raise Unavailable(
            f"The database {path.absolute()} was written by a newer miniapm (layout {current}, "
            f"this one knows up to {known[-1].version}). Install that version again; "
            "nothing was changed."
        )


def _copy_before(
    connection: sqlite3.Connection, path: Path, migration: Migration, now: int
) -> Path:
    stamp = to_datetime(now).strftime("%Y%m%dT%H%M%S")
    copy = path.absolute().with_name(f"{path.name}.before-{migration.version:04d}-{stamp}")
    connection.execute("/* migrations.copy */ vacuum into :copy", {"copy": str(copy)})
    return copy


def _apply(connection: sqlite3.Connection, migration: Migration, now: int) -> None:
    # executescript commits first, so the transaction has to stand inside the script itself
    script = f"""
        begin immediate;
        {migration.sql}
        insert into migrations (version, name, applied_at)
        values ({migration.version}, '{migration.name}', {now});
        commit;
    """
    try:
        connection.executescript(script)
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
