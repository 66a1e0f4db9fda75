"""Who serves a database, and where: a lock beside it that a server holds for life.

The lock file has one line, the server's address. It counts only while somebody holds the lock: a
server that was killed leaves it behind.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miniapm.exceptions import Unavailable
from miniapm.storage.connection import file_lock

NAME = "server"
# `is_served` holds the lock for an instant, too: that must not keep a server from starting
_WAIT_SECONDS = 1.0
_LONGEST_ADDRESS = 1000


@contextmanager
def server_lock(path: Path) -> Iterator[None]:
    """Held for the life of a server: Unavailable when another one has this database."""
    with file_lock(path, _WAIT_SECONDS, NAME) as held:
        if not held:
            raise Unavailable(
                f"A server runs on {path.absolute()} already. Stop it first, or name another "
                "database with --db PATH."
            )
        os.truncate(_lock_file(path), 0)  # what the server before has left
        yield


def write_server_address(path: Path, address: str) -> None:
    """Tells other processes where the server of `path` listens; for who holds its lock."""
    _lock_file(path).write_text(f"{address}\n", encoding="utf-8")


def is_served(path: Path) -> bool:
    """Whether a server runs on the database, on this machine."""
    try:
        descriptor = os.open(_lock_file(path), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:  # somebody else's, who serves it
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def find_server_address(path: Path) -> str | None:
    """Where the server of the database listens, such as `http://127.0.0.1:3000`.

    None where no server runs, or has not said yet.
    """
    if not is_served(path):
        return None
    try:
        with _lock_file(path).open(encoding="utf-8", errors="replace") as file:
            return file.readline(_LONGEST_ADDRESS).strip() or None
    except OSError:
        return None


def _lock_file(path: Path) -> Path:
    return Path(f"{path.resolve()}-{NAME}")
