"""Rollups: counted by event minute, widened without losing anything."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.histograms import bucket_of
from miniapm.domain.rollups import MOST_FRESH, EntryRow, OpenRollups, RollupKey, widen
from tests.factories import START

HOUR_START = START - START % HOUR


def make_row(**fields: Any) -> EntryRow:
    defaults: dict[str, Any] = {
        "id": 1,
        "project_id": 1,
        "endpoint_id": 2,
        "release_id": 3,
        "started_at": HOUR_START,
        "duration_us": 1000,
        "failed": 0,
        "status_code": 200,
        "trace_id": None,
        "database_us": 0,
        "database_count": 0,
        "http_us": 0,
        "http_count": 0,
    }
    return EntryRow(**{**defaults, **fields})


def test_an_entry_counts_in_the_minute_in_which_it_began() -> None:
    rollups = OpenRollups()
    rollups.add(
        [
            make_row(id=7, started_at=HOUR_START + 59_999_999, duration_us=10, failed=1),
            make_row(id=8, started_at=HOUR_START + MINUTE, duration_us=500, database_us=40),
        ]
    )
    first = rollups.minutes[RollupKey(1, 2, 3, HOUR_START)]
    assert (first.count, first.failed, first.failed_id, first.slow_id) == (1, 1, 7, 7)
    second = rollups.minutes[RollupKey(1, 2, 3, HOUR_START + MINUTE)]
    assert (second.count, second.failed, second.database_us) == (1, 0, 40)
    assert second.buckets == {bucket_of(500): 1}
    assert rollups.last_id == 8


def test_what_came_before_and_after_it_was_added_up() -> None:
    """More than wait in memory at a time, in two turns."""
    rollups = OpenRollups()
    rollups.add([make_row(id=i, duration_us=i, failed=i % 2) for i in range(1, MOST_FRESH + 2)])
    last = MOST_FRESH + 5
    rollups.add([make_row(id=last, duration_us=3, failed=1, http_us=7)])
    [rollup] = rollups.minutes.values()
    whole = MOST_FRESH + 1
    assert (rollup.count, rollup.duration_us) == (whole + 1, whole * (whole + 1) // 2 + 3)
    assert (rollup.failed, rollup.failed_id) == (whole // 2 + 2, last)
    assert (rollup.slow_id, rollup.slow_us, rollup.http_us) == (whole, whole, 7)
    assert sum(rollup.buckets.values()) == whole + 1
    assert rollups.last_id == last
    rollups.add([make_row(id=last + 1)])
    rollups.clear()
    assert rollups.minutes == {}


def test_the_slowest_call_is_the_one_to_look_at() -> None:
    rollups = OpenRollups()
    rollups.add([make_row(id=i, duration_us=us) for i, us in enumerate((5, 90, 30), 1)])
    [rollup] = rollups.minutes.values()
    assert (rollup.slow_id, rollup.slow_us, rollup.duration_us) == (2, 90, 125)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 3 * HOUR), st.integers(0, 10**7)), max_size=60
    )
)
def test_every_width_counts_every_entry_twice(calls: list[tuple[int, int, int]]) -> None:
    """Once for its endpoint, once for all endpoints together."""
    rollups = OpenRollups()
    rollups.add(
        [
            make_row(id=i, endpoint_id=e, started_at=HOUR_START + after, duration_us=us)
            for i, (e, after, us) in enumerate(calls, 1)
        ]
    )
    for resolution, wide in widen(rollups.minutes, 0).items():
        assert all(key.started_at % (resolution * MINUTE) == 0 for key in wide)
        for total in (
            [r for key, r in wide.items() if key.endpoint_id == 0],
            [r for key, r in wide.items() if key.endpoint_id != 0],
        ):
            assert sum(r.count for r in total) == len(calls)
            assert sum(r.duration_us for r in total) == sum(us for *_, us in calls)
            assert sum(sum(r.buckets.values()) for r in total) == len(calls)
