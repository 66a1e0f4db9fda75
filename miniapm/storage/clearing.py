"""Emptying SQLite's log, in which what was deleted stands until it is written over."""

import contextlib
from pathlib import Path

from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.connection import scalar
from miniapm.storage.once import open_existing, write_lock
from miniapm.storage.server_lock import server_lock

_WAIT_MS = 1000


def clear_log(path: Path) -> bool:
    """Empties `<path>-wal`. False where a server runs, which does so itself within a minute or so
    (no checkpoint may run beside its writes), or where somebody reads what is older."""
    with (
        contextlib.suppress(Unavailable, Busy),
        server_lock(path),
        open_existing(path) as connection,
        write_lock(path),
    ):
        connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
        return not scalar(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
    return False
