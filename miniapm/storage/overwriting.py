"""Deleting so that nothing can be read from the pages that become free."""

from collections.abc import Iterator
from contextlib import contextmanager

from miniapm.storage.connection import Connection, scalar


def overwrite_from_now_on(connection: Connection) -> None:
    """What is deleted or replaced is overwritten, as long as the connection is open."""
    connection.execute("PRAGMA secure_delete = ON").fetchone()


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """While the block runs, what is deleted or replaced is overwritten; then as it was before."""
    before = scalar(connection, "PRAGMA secure_delete")
    overwrite_from_now_on(connection)
    try:
        yield
    finally:
        connection.execute(f"PRAGMA secure_delete = {before}").fetchone()
