"""Many rows by few statements: all of them, in their order; also over what is there, and back."""

import pytest

from miniapm.storage.connection import Connection
from miniapm.storage.many_rows import MOST_AT_ONCE, find_rows, insert_rows

NUMBERS = pytest.mark.parametrize(
    "number", [0, 1, 2, 3, MOST_AT_ONCE - 1, MOST_AT_ONCE, 2 * MOST_AT_ONCE + 7]
)


@NUMBERS
def test_every_row_is_there_in_order(connection: Connection, number: int) -> None:
    connection.execute("create table things (position integer primary key, name text) strict")
    rows = [(None, f"thing {place}") for place in range(number)]
    insert_rows(connection, "insert into things (position, name)", rows)
    stored = connection.execute("select position, name from things order by position").fetchall()
    assert [tuple(row) for row in stored] == [
        (place + 1, f"thing {place}") for place in range(number)
    ]


@NUMBERS
def test_rows_are_replaced_and_found_by_their_values(connection: Connection, number: int) -> None:
    connection.execute("create table things (position integer primary key, name text) strict")
    ending = " on conflict (position) do update set name = excluded.name"
    for word in ("old", "new"):
        rows = [(place, f"{word} {place}") for place in range(number)]
        insert_rows(connection, "insert into things (position, name)", rows, ending)
    found = find_rows(
        connection,
        "with wanted (position, name) as (",
        [(place, f"new {place}") for place in range(-3, number, 2)],
        """) select t.position from wanted w cross join things t
        where t.position = w.position and t.name = w.name""",
    )
    assert [row[0] for row in found] == list(range(1, number, 2))
