"""What a stopped server left in its file."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from math import ceil
from pathlib import Path

from bench.traces import Entry
from miniapm.domain.histograms import Buckets, add_encoded, find_percentiles

EndpointName = tuple[str, str]
"""Service and name."""

COARSEST_MINUTES = 60


def file_bytes(directory: Path) -> int:
    """The database with whatever is left of its WAL."""
    files = (directory / name for name in ("miniapm.db", "miniapm.db-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def read_number(directory: Path, sql: str) -> int:
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        row = database.execute(sql).fetchone()
    return int(row[0] or 0) if row else 0


def count_spans(directory: Path) -> int:
    return read_number(directory, "select sum(span_count) from span_batches")


def count_entries(directory: Path) -> int:
    return read_number(directory, "select count(*) from entries")


def wait_for_rollups(directory: Path, seconds: float = 30) -> None:
    """Waits until the rollups of a running server hold all entries; what they lack after a crash
    comes with the first flush."""
    _wait_for_progress(directory, "rollups", "select max(id) from entries", seconds)


def wait_for_packing(directory: Path, seconds: float = 300) -> None:
    """Waits until a running server has packed all bodies."""
    _wait_for_progress(directory, "packing", "select max(id) from span_batches", seconds)


def _wait_for_progress(directory: Path, name: str, last: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while read_number(directory, last) > read_number(
        directory, f"select entry_id from rollup_progress where name = '{name}'"
    ):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the {name} job does not catch up with what was sent")
        time.sleep(0.05)


def find_rollup_mistakes(directory: Path) -> int:
    """How many counts of rollups differ from the entries that they stand for: by resolution and
    endpoint, and for all endpoints of a release together."""
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        true: dict[tuple[int, int], tuple[int, int]] = {
            (release, endpoint): (count, failed)
            for release, endpoint, count, failed in database.execute(
                "select release_id, endpoint_id, count(*), sum(failed) from entries group by 1, 2"
            )
        }
        for (release, _), (count, failed) in list(true.items()):
            seen = true.get((release, 0), (0, 0))
            true[release, 0] = seen[0] + count, seen[1] + failed
        mistakes = 0
        for resolution in (1, 10, COARSEST_MINUTES):
            rolled = {
                (release, endpoint): (count, failed)
                for release, endpoint, count, failed in database.execute(
                    "select release_id, endpoint_id, sum(count), sum(failed) from rollups"
                    " where resolution = ? group by 1, 2",
                    (resolution,),
                )
            }
            mistakes += sum(rolled.get(key) != true.get(key) for key in true.keys() | rolled.keys())
    return mistakes


def read_p95(directory: Path) -> dict[EndpointName, float]:
    """The p95 of each endpoint in µs, out of the hours of the rollups."""
    merged: defaultdict[EndpointName, Buckets] = defaultdict(dict)
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        for service, name, histogram in database.execute(
            "select e.service, e.name, r.histogram from rollups r join endpoints e"
            " on e.project_id = r.project_id and e.id = r.endpoint_id where r.resolution = ?",
            (COARSEST_MINUTES,),
        ):
            add_encoded(merged[service, name], histogram)
    found = {}
    for name, buckets in merged.items():
        [p95] = find_percentiles(buckets, [0.95])
        assert p95 is not None
        found[name] = p95
    return found


def exact_p95(entries: Iterable[tuple[Entry, int]]) -> dict[EndpointName, int]:
    """The same (nearest rank) out of the durations themselves, each with how often it was there."""
    durations: defaultdict[EndpointName, list[tuple[int, int]]] = defaultdict(list)
    for entry, times in entries:
        durations[entry.service, entry.endpoint].append((entry.duration_us, times))
    return {name: _find_rank(sorted(given), 0.95) for name, given in durations.items()}


def _find_rank(given: list[tuple[int, int]], share: float) -> int:
    rank = ceil(share * sum(times for _, times in given))
    seen = 0
    for duration, times in given:
        seen += times
        if seen >= rank:
            return duration
    raise ValueError("a share above 1")


def largest_difference(
    estimated: Mapping[EndpointName, float], exact: Mapping[EndpointName, int]
) -> float:
    """The largest relative difference, as a share."""
    assert estimated.keys() == exact.keys(), "the endpoints are not those that were sent"
    return max(abs(estimated[name] / true - 1) for name, true in exact.items())
