"""Pages that remember say what those say that read everything anew."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.ranges import TimeRange, range_between, range_named
from miniapm.domain.spans.comparisons import Window
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.endpoints.find import EndpointFilter, Order, find_endpoint_page
from miniapm.storage.memory import Memory
from miniapm.storage.releases import find_endpoints, find_release_ids
from miniapm.storage.rollups.hours import find_hours, join_runs
from miniapm.storage.rollups.series import find_series, find_sparklines
from miniapm.storage.rollups.totals import (
    find_histogram,
    find_release_totals,
    find_slowest,
    find_totals,
)
from tests.factories import START, make_database
from tests.traffic import Call, add_calls

NOW = START - START % HOUR + 25 * MINUTE


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """Two projects, so that what is remembered of one could be taken for the other's."""
    made = make_database(tmp_path / "miniapm.db", "shop", "other")
    made.memory = Memory(1 << 24)
    yield made
    made.close()


def some_calls(seed: int, number: int, length: int = 3 * DAY) -> list[Call]:
    rng = random.Random(seed)  # noqa: S311 - figures, not secrets
    return [
        Call(
            NOW - rng.randrange(length),
            int(10 ** rng.uniform(1, 6)),
            rng.choice(("GET /", "POST /cart", "GET /carts/{id}")),
            failed=rng.random() < 0.1,
            env=rng.choice(("production", "staging")),
            version=rng.choice(("v1", "v2")),
        )
        for _ in range(number)
    ]


def look(connection: Connection, project_id: int, time_range: TimeRange) -> list[object]:
    """All that is told of a stretch of time."""
    since, until = time_range.since, time_range.until
    endpoints = find_endpoints(connection, project_id)
    found: list[object] = [endpoints]
    for env in (None, "staging"):
        ids = find_release_ids(connection, project_id, env, None)
        told = connection, project_id, ids
        found += [
            find_totals(*told, since, until),
            find_slowest(*told, since, until, 2),
            find_sparklines(*told, time_range, endpoints),
        ]
        for one in (ALL_ENDPOINTS, *endpoints):
            found += [
                find_series(connection, project_id, one, ids, time_range),
                find_totals(*told, since, until, one),
                find_release_totals(*told, since, until, one),
                find_histogram(connection, project_id, one, ids, since, until),
            ]
        found.append(
            find_endpoint_page(
                connection, project_id, EndpointFilter(env), Order("p95"), Window(since, until), NOW
            )
        )
    return found


@pytest.mark.parametrize(
    "time_range",
    [
        range_named("1h", NOW),
        range_named("24h", NOW),
        range_named("7d", NOW),
        range_named("30d", NOW),
        range_between(NOW - DAY - 7 * MINUTE, NOW - 3 * MINUTE, NOW),
        range_between(NOW - 2 * HOUR - 7 * MINUTE, NOW - HOUR - 33 * MINUTE, NOW),
    ],
)
def test_what_is_remembered_is_what_is_read(connection: Connection, time_range: TimeRange) -> None:
    for seed in range(3):
        # late telemetry among it: hours that were remembered grow
        add_calls(connection, some_calls(seed, 300))
        add_calls(connection, some_calls(seed + 10, 100), project_id=2)
        for project_id in (1, 2):
            looks = [look(connection, project_id, time_range) for _ in range(2)]
            remembering, connection.memory = connection.memory, Memory(0)
            anew = look(connection, project_id, time_range)
            connection.memory = remembering
            assert looks == [anew, anew]


@pytest.mark.parametrize("kilobytes", [8, 16, 32, 64, 128])
def test_where_the_memory_is_too_small_nothing_is_missing(
    connection: Connection, kilobytes: int
) -> None:
    """What is pushed out while it is used must not be taken for nothing."""
    connection.memory = Memory(kilobytes << 10)
    full, none = connection.memory, Memory(0)
    for seed in range(20):
        add_calls(connection, some_calls(seed, 40))
        since = NOW - NOW % HOUR - (seed * 7 % 48 + 1) * HOUR
        for until in (NOW, NOW - HOUR):
            told = []
            for memory in (full, none):
                connection.memory = memory
                told.append(find_totals(connection, 1, None, since, until))
            assert told[0] == told[1]


def test_nothing_is_read_twice(connection: Connection) -> None:
    add_calls(connection, some_calls(1, 500))
    time_range = range_named("24h", NOW)
    first = look(connection, 1, time_range)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    assert look(connection, 1, time_range) == first
    names = {
        name for name in ("find", "find_counts") for s in statements if f"rollups.{name} " in s
    }
    assert names == set()


def test_only_the_hour_that_grew_is_read_again(connection: Connection) -> None:
    add_calls(connection, some_calls(1, 500))
    since, until = NOW - NOW % HOUR - 48 * HOUR, NOW - NOW % HOUR
    find_totals(connection, 1, None, since, until)
    grown = since + 30 * HOUR
    add_calls(connection, [Call(grown + 5 * MINUTE, version="v1")])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    find_totals(connection, 1, None, since, until)
    [read] = [statement for statement in statements if "rollups.find " in statement]
    assert f"started_at >= {grown} and started_at < {grown + HOUR}" in " ".join(read.split())


def test_an_hour_is_told_by_what_it_counts(connection: Connection) -> None:
    add_calls(connection, [Call(NOW), Call(NOW, version="v2"), Call(NOW - 2 * HOUR)])
    begin = NOW - NOW % HOUR
    hours = find_hours(connection, 1, NOW - 2 * HOUR, NOW)
    assert hours.counts == (1, 0, 2)
    assert hours.version(begin, begin + HOUR) == (2,)
    assert hours.version(begin - HOUR, begin + 10 * MINUTE) == (0, 2)


def test_runs_join_what_follows_on_each_other() -> None:
    assert list(join_runs([], 2)) == []
    assert list(join_runs([0, 2, 6, 10, 12], 2)) == [(0, 4), (6, 8), (10, 14)]
