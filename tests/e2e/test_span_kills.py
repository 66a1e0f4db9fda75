"""kill -9 under a load of spans and errors, a few rounds (50 in `bench/span_kills.py`)."""

from pathlib import Path

import pytest

from bench.span_kills import run_rounds


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_counted_twice(tmp_path: Path) -> None:
    found = run_rounds(tmp_path, 4)
    assert found.damaged_files == 0
    assert found.spans > 4 * 24 * 50
    assert found.errors >= 4 * 20
    assert found.unsure_bodies, "no kill came while a body was under way"
    assert found.lost_spans == 0
    assert found.spans_stored_twice == 0
    assert found.lost_errors == 0
    assert found.errors_counted_twice == 0
    assert found.entries_lost_or_twice == 0
    assert found.rollup_mistakes == 0
