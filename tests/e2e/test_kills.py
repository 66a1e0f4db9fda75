"""kill -9 under load, 50 rounds (200 in `bench/kills.py`)."""

from pathlib import Path

import pytest

from bench.kills import run_rounds


@pytest.mark.slow
def test_no_acknowledged_deploy_is_lost_or_stands_twice(tmp_path: Path) -> None:
    tally, rows = run_rounds(tmp_path, 50)
    assert tally.damaged == 0
    assert len(tally.acknowledged) >= 50 * 150
    assert tally.unsure, "no kill came while a post was under way"
    assert sorted(rows) == sorted(tally.acknowledged)
    assert set(rows.values()) == {1}
