"""A database from a copy of one; what was there is kept."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from miniapm.clock import Clock, to_datetime
from miniapm.exceptions import Busy, Conflict, Unavailable
from miniapm.storage.connection import LOCK_WAIT_SECONDS, file_lock, open_connection
from miniapm.storage.copies import (
    SIDE_FILES,
    Copy,
    check_copy,
    explained,
    open_still,
    refuse_target,
    require_healthy,
    sync,
    sync_directory,
    vacuum_into,
    written_beside,
)
from miniapm.storage.server_lock import server_lock

_HEADER = b"SQLite format 3\0"


class Restored(NamedTuple):
    """`kept` is where the database that was there before is now, if there was one."""

    copy: Copy
    kept: Path | None


def restore(database: Path, source: Path, clock: Clock) -> Restored:
    """Makes `source` the database; what was there is kept beside it.

    Sessions and sign-in links are left out: an old cookie must not sign anybody in. Invalid for a
    source that is no healthy database of ours; Unavailable while a server runs on the database.
    """
    database, source = database.resolve(), source.resolve()
    refuse_target(database, source)
    with server_lock(database), file_lock(database, LOCK_WAIT_SECONDS) as held:
        if not held:
            raise Busy("Another command is writing to the database; try again in a moment.")
        with written_beside(database, ".restore", replace=False) as beside:
            _copy_source(source, beside)
            copy = check_copy(beside)
            kept = _keep_old(database, beside, clock()) if database.exists() else None
            beside.replace(database)
            sync_directory(database)
    return Restored(copy._replace(path=database), kept)


def _copy_source(source: Path, beside: Path) -> None:
    in_use = Path(f"{source}-wal").exists()
    with closing(open_still(source, in_use=in_use)) as connection, explained(source):
        require_healthy(connection, source)
        vacuum_into(connection, beside)
    with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
        for table in ("sessions", "login_links"):
            connection.execute(f"/* restore.delete_{table} */ delete from {table}")


def _keep_old(database: Path, beside: Path, now: int) -> Path:
    """Sets the old database aside under a second name; the new one takes over who may read it."""
    stamp = to_datetime(now).strftime("%Y%m%dT%H%M%S")
    kept = database.absolute().with_name(f"{database.name}.before-restore-{stamp}")
    if kept.exists():
        raise Conflict(f"There is {kept} already; try again in a second.")
    _fold_log_in(database)
    # a log that could not be folded in must never meet the new database
    for end in SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{database}{end}").rename(f"{kept}{end}")
    _take_over_owner(beside, database)
    sync(beside)
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
