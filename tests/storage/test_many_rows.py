"""Many rows by few statements: all of them, in their order."""

import pytest

from miniapm.storage.connection import Connection
from miniapm.storage.many_rows import MOST_AT_ONCE, insert_rows


@pytest.mark.parametrize(
    "number", [0, 1, 2, 3, MOST_AT_ONCE - 1, MOST_AT_ONCE, 2 * MOST_AT_ONCE + 7]
)
def test_every_row_is_there_in_order(connection: Connection, number: int) -> None:
    connection.execute("create table things (position integer primary key, name text) strict")
    rows = [(None, f"thing {place}") for place in range(number)]
    insert_rows(connection, "insert into things (position, name)", rows)
    stored = connection.execute("select position, name from things order by position").fetchall()
    assert [tuple(row) for row in stored] == [
        (place + 1, f"thing {place}") for place in range(number)
    ]
