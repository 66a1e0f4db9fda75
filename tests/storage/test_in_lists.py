"""Lists of values for `in (...)`."""

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.in_lists import MOST_AT_ONCE, bind_list, bind_parts


def count(connection: Connection, names: str, values: dict[str, int]) -> int:
    sql = f"select count(*) from projects where id in ({names})"
    return int(scalar(connection, sql, **values))


def test_what_is_listed_is_found(connection: Connection) -> None:
    assert count(connection, *bind_list("p", [2, 1, 7])) == 2
    assert count(connection, *bind_list("p", [2])) == 1


def test_nothing_is_in_an_empty_list(connection: Connection) -> None:
    assert count(connection, *bind_list("p", [])) == 0
    assert list(bind_parts("p", [])) == []


def test_a_long_list_comes_in_parts(connection: Connection) -> None:
    parts = list(bind_parts("p", [1, *range(10, 9 + MOST_AT_ONCE), 2]))
    assert [len(values) for _, values in parts] == [MOST_AT_ONCE, 1]
    assert [count(connection, *part) for part in parts] == [1, 1]
