"""Rows of rollups in, figures out."""

import random

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.ranges import TimeRange, range_named
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.releases import (
    find_endpoints,
    find_last_seen,
    find_release_ids,
    find_releases,
    find_served_lanes,
)
from miniapm.storage.rollups.series import Point, find_release_shares, find_series, find_sparklines
from miniapm.storage.rollups.totals import find_histogram, find_slowest, find_totals
from tests.factories import START, make_deploy
from tests.traffic import Call, add_calls

HOUR_BEGIN = START - START % HOUR
RANGE = TimeRange(HOUR_BEGIN, HOUR_BEGIN + HOUR, 1, MINUTE)


def at(minute: int) -> int:
    return HOUR_BEGIN + minute * MINUTE


def series(
    connection: Connection, endpoint_id: int = ALL_ENDPOINTS, time_range: TimeRange = RANGE
) -> dict[int, Point]:
    """The points by minute."""
    points = find_series(connection, 1, endpoint_id, None, time_range)
    assert [point.at for point in points] == list(time_range.starts)
    return {(point.at - HOUR_BEGIN) // MINUTE: point for point in points}


def test_a_point_sums_its_step(connection: Connection) -> None:
    add_calls(
        connection,
        [
            Call(at(3), 1_000, database_us=300, http_us=50),
            Call(at(3) + 59_999_999, 3_000, failed=True, version="v2"),
            Call(at(4), 9_000),
        ],
    )
    point = series(connection)[3]
    assert (point.count, point.failed, point.duration_us) == (2, 1, 4_000)
    assert (point.database_us, point.http_us) == (300, 50)
    assert point.p50_us == pytest.approx(1_000, rel=0.025)
    assert point.p95_us == point.p99_us == pytest.approx(3_000, rel=0.025)


def test_several_rows_make_a_step(connection: Connection) -> None:
    add_calls(connection, [Call(at(minute)) for minute in range(60)])
    steps = TimeRange(HOUR_BEGIN, HOUR_BEGIN + HOUR, 10, 30 * MINUTE)
    assert [point.count for point in series(connection, time_range=steps).values()] == [30, 30]


def test_a_short_silence_is_zero_and_a_long_one_a_gap(connection: Connection) -> None:
    add_calls(connection, [Call(at(10)), Call(at(24)), Call(at(50))])
    points = series(connection)
    assert [points[minute].is_gap for minute in (9, 10, 15, 23, 24, 25, 49, 51)] == [
        True, False, False, False, False, True, True, True,
    ]  # fmt: skip
    assert points[15] == Point(at(15))
    assert points[15].p95_us is None


def test_an_endpoint_has_zeros_while_its_service_sends(connection: Connection) -> None:
    add_calls(
        connection,
        [
            Call(at(1), endpoint="GET /a"),
            Call(at(30), endpoint="GET /b"),
            Call(at(50), endpoint="GET /c", service="worker"),
        ],
    )
    [wanted] = [e.id for e in find_endpoints(connection, 1).values() if e.name == "GET /a"]
    points = series(connection, wanted)
    assert [(points[m].count, points[m].is_gap) for m in (1, 30, 50)] == [
        (1, False), (0, False), (0, True),
    ]  # fmt: skip


def test_releases_narrow_what_is_counted(connection: Connection) -> None:
    add_calls(
        connection,
        [Call(at(1), env="staging"), Call(at(1)), Call(at(1), service="worker")],
    )
    for env, service, count in (
        ("staging", None, 1),
        (None, "worker", 1),
        ("production", None, 2),
        ("none", None, 0),
        (None, None, 3),
    ):
        releases = find_release_ids(connection, 1, env, service)
        points = find_series(connection, 1, ALL_ENDPOINTS, releases, RANGE)
        assert sum(point.count for point in points) == count
        totals = find_totals(connection, 1, releases, RANGE.since, RANGE.until)
        assert sum(total.count for total in totals.values()) == count
        sparks = find_sparklines(connection, 1, releases, RANGE, find_endpoints(connection, 1))
        assert sum(sum(counts) for counts in sparks.values()) == count


def test_percentiles_come_close_to_exact_ones(connection: Connection) -> None:
    rng = random.Random(11)  # noqa: S311 - a spread, not a secret
    calls = [
        Call(START - rng.randrange(DAY), int(rng.lognormvariate(9, 1.5)) + 1, version=f"v{i % 3}")
        for i in range(5_000)
    ]
    add_calls(connection, calls)
    durations = sorted(call.duration_us for call in calls)
    found = find_totals(connection, 1, None, START - DAY, START + MINUTE)
    [total] = found.values()
    assert total.count == 5_000
    assert total.duration_us == sum(durations)
    for value, rank in ((total.p50_us, 2_500), (total.p95_us, 4_750), (total.p99_us, 4_950)):
        assert value == pytest.approx(durations[rank - 1], rel=0.025)
    buckets = find_histogram(connection, 1, total.endpoint_id, None, START - DAY, START + MINUTE)
    assert sum(buckets.values()) == 5_000


def test_totals_count_each_minute_once(connection: Connection) -> None:
    add_calls(connection, [Call(at(minute)) for minute in range(-300, 300)])
    for since, until in ((-300, 300), (-7, 3), (-60, 60), (-299, 299), (5, 6), (11, 29), (-1, 121)):
        found = find_totals(connection, 1, None, at(since), at(until), ALL_ENDPOINTS)
        assert found[ALL_ENDPOINTS].count == until - since


def test_totals_name_entries_to_look_at(connection: Connection) -> None:
    add_calls(
        connection,
        [
            Call(at(1), 5_000, failed=True),
            Call(at(2), 70_000, version="v2"),
            Call(at(3), 6_000, failed=True),
            Call(at(90), 90_000),
        ],
    )
    [total] = find_totals(connection, 1, None, at(0), at(60)).values()
    assert (total.slow_id, total.failed_id) == (2, 3)


def test_other_projects_are_other_worlds(connection: Connection) -> None:
    add_calls(connection, [Call(at(1))], project_id=2)
    assert all(point.is_gap for point in series(connection).values())
    assert find_totals(connection, 1, None, at(0), at(60)) == {}
    assert find_sparklines(connection, 1, None, RANGE, [1]) == {}
    assert find_releases(connection, 1) == []
    assert find_last_seen(connection, 1) is None
    assert find_totals(connection, 2, None, at(0), at(60))[1].count == 1


def test_sparklines_have_about_thirty_steps(connection: Connection) -> None:
    add_calls(connection, [Call(at(0) - hour * HOUR) for hour in range(24)])
    shown = find_endpoints(connection, 1)
    lines = find_sparklines(connection, 1, None, range_named("24h", START), shown)
    [counts] = lines.values()
    assert 20 <= len(counts) <= 31
    assert set(counts[1:-1]) == {1}


def test_shares_tell_releases_apart(connection: Connection) -> None:
    add_calls(
        connection,
        [
            Call(at(1), version="v1"),
            Call(at(1), version="v1", endpoint="GET /b"),
            Call(at(2), version="v2"),
            Call(at(2), version="v9", env="staging"),
        ],
    )
    names = {release.id: release.version for release in find_releases(connection, 1)}
    shares = find_release_shares(connection, 1, "shop", "production", RANGE)
    assert {names[key]: counts[:3] for key, counts in shares.items()} == {
        "v1": [0, 2, 0],
        "v2": [0, 0, 1],
    }


def test_the_slowest_come_first_and_rare_ones_last(connection: Connection) -> None:
    add_calls(
        connection,
        [Call(at(1), 10_000, "GET /fast")] * 9
        + [Call(at(1), 50_000, "GET /slow")] * 9
        + [Call(at(1), 900_000, "GET /rare")] * 2,
    )
    names = {e.id: e.name for e in find_endpoints(connection, 1).values()}
    found = find_slowest(connection, 1, None, at(0), at(60), 3)
    assert [names[total.endpoint_id] for total in found] == ["GET /slow", "GET /fast", "GET /rare"]
    assert len(find_slowest(connection, 1, None, at(0), at(60), 2)) == 2


def test_lanes_are_those_of_telemetry_and_of_deploys(connection: Connection) -> None:
    add_calls(connection, [Call(at(1), service="worker", env="staging"), Call(at(1))])
    insert_row(connection, make_deploy(service="shop", env="preview"))
    assert find_served_lanes(connection, 1) == [
        ("shop", "preview"),
        ("shop", "production"),
        ("worker", "staging"),
    ]
    assert find_last_seen(connection, 1) is not None


def test_releases_are_found_by_what_they_serve(connection: Connection) -> None:
    add_calls(
        connection,
        [Call(at(1), env="staging"), Call(at(2), version="v1"), Call(at(3), version="v2")],
    )
    assert [r.version for r in find_releases(connection, 1, "production")] == ["v1", "v2"]
    assert find_release_ids(connection, 1, None, None) is None
    assert find_release_ids(connection, 1, "nowhere", None) == frozenset()
