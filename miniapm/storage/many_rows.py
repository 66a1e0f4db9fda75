"""Inserting and finding many rows by few statements.

SQLite works without Python's lock, but each statement gives it up and takes it back: beside threads
that compute, a statement a row costs more than its rows.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from miniapm.storage.connection import Connection, Row

MOST_AT_ONCE = 64


def insert_rows(
    connection: Connection, insert: str, rows: Sequence[Sequence[Any]], ending: str = ""
) -> None:
    """Inserts `rows`, all of one length; `insert` is the statement up to its column names, `ending`
    what comes behind the values."""
    for part in _cut(rows):
        sql = _with_places(insert, len(part), len(part[0]), ending)
        connection.execute(sql, list(chain.from_iterable(part)))


def find_rows(
    connection: Connection, select: str, rows: Sequence[Sequence[Any]], ending: str
) -> Iterator[Row]:
    """What is found for `rows`, all of one length; `select` is the statement up to the values, such
    as a common table expression has, `ending` what comes behind them."""
    for part in _cut(rows):
        sql = _with_places(select, len(part), len(part[0]), ending)
        yield from connection.execute(sql, list(chain.from_iterable(part)))


def _cut(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """As many rows at once as a power of two, so that a few statements serve every number."""
    size, start = MOST_AT_ONCE, 0
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


@cache
def _with_places(before: str, rows: int, columns: int, ending: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{before} values {', '.join([row] * rows)}{ending}"
