"""The range that is shown where nobody named one: the shortest that holds all of the last day."""

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection
from miniapm.storage.errors.record import record_occurrences
from miniapm.storage.ranges import find_default_range
from miniapm.storage.spans.names import NameCaps, NameIds
from tests.factories import make_occurrence
from tests.storage.telemetry_rows import BASE, Telemetry

NOW = BASE + 30 * DAY


def show(connection: Connection, *minutes_ago: int, project_id: int = 1) -> None:
    for minutes in minutes_ago:
        Telemetry(connection).show("v1", "", (NOW - BASE) / MINUTE - minutes, project_id=project_id)


def fail(connection: Connection, *minutes_ago: int) -> None:
    ids = NameIds(NameCaps(), lambda: NOW)
    occurrences = [make_occurrence(happened_at=NOW - minutes * MINUTE) for minutes in minutes_ago]
    record_occurrences(connection, ids, 1, occurrences, IdMaker(lambda: NOW), NOW)


@pytest.mark.parametrize(
    ("minutes_ago", "expected"),
    [
        ((), "24h"),
        ((10, 3), "1h"),
        ((0,), "1h"),
        ((59,), "1h"),
        ((60,), "6h"),
        ((6 * 60 - 1, 3), "6h"),
        ((6 * 60, 3), "24h"),
        ((7 * 60,), "24h"),
        ((3 * 24 * 60,), "24h"),
        ((3 * 24 * 60, 10), "1h"),
    ],
)
def test_the_shortest_that_holds_all_requests_of_a_day(
    connection: Connection, minutes_ago: tuple[int, ...], expected: str
) -> None:
    show(connection, *minutes_ago)
    assert find_default_range(connection, 1, NOW) == expected


@pytest.mark.parametrize(
    ("minutes_ago", "expected"),
    [((10,), "1h"), ((90, 10), "6h"), ((7 * 60, 10), "24h"), ((3 * 24 * 60, 10), "24h")],
)
def test_errors_count_and_what_was_seen_before_and_after_may_have_been_between(
    connection: Connection, minutes_ago: tuple[int, ...], expected: str
) -> None:
    fail(connection, *minutes_ago)
    assert find_default_range(connection, 1, NOW) == expected
    show(connection, 5)
    assert find_default_range(connection, 1, NOW) == expected


def test_another_projects_requests_do_not_count(connection: Connection) -> None:
    show(connection, 10 * 60, project_id=2)
    show(connection, 10)
    assert find_default_range(connection, 1, NOW) == "1h"
    assert find_default_range(connection, 2, NOW) == "24h"


def test_it_is_looked_up_by_indexes_alone(connection: Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    show(connection, HOUR // MINUTE)
    statements.clear()
    find_default_range(connection, 1, NOW)
    connection.set_trace_callback(None)
    assert len(statements) == 2
    for statement in statements:
        plan = [row["detail"] for row in connection.execute(f"explain query plan {statement}")]
        looks = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert [step.split(" (")[0] for step in looks] == [
            "SCAN CONSTANT ROW",
            "SEARCH rollups USING PRIMARY KEY",
            "SEARCH error_groups USING INDEX error_groups_seen",
        ]
