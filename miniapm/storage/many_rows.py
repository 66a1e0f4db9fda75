"""Inserting many rows by few statements.

SQLite works without Python's lock, but each statement gives it up and takes it back: beside threads
that compute, a statement a row costs more than its rows.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from miniapm.storage.connection import Connection

MOST_AT_ONCE = 64


def insert_rows(connection: Connection, insert: str, rows: Sequence[Sequence[Any]]) -> None:
    """Inserts `rows`, all of one length; `insert` is the statement up to its column names.

    As many rows at once as a power of two, so that a few statements serve every number of them.
    """
    size, start = MOST_AT_ONCE, 0
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        sql = _with_places(insert, size, len(rows[0]))
        connection.execute(sql, list(chain.from_iterable(rows[start : start + size])))
        start += size


@cache
def _with_places(insert: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{insert} values {', '.join([row] * rows)}"
