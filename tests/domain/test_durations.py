"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("30s", 30 * SECOND),
        ("15m", 15 * MINUTE),
        ("24h", DAY),
        ("90d", 90 * DAY),
        ("2w", 14 * DAY),
        (" 1 H ", HOUR),
    ],
)
def test_a_number_and_a_unit(text: str, micros: int) -> None:
    assert parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5h", "1y", "1d2h", "9999999d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number and a unit"):
        parse_duration(text)


def test_the_largest_unit_that_is_exact_is_written() -> None:
    assert [format_duration(d) for d in (DAY, 25 * HOUR, 90 * MINUTE, 61 * SECOND)] == [
        "1d",
        "25h",
        "90m",
        "61s",
    ]


@given(st.integers(1, 999_999))
def test_what_is_written_reads_the_same(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND
