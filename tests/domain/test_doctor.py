"""What the doctor says."""

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.doctor import tell_span


@pytest.mark.parametrize(
    ("micros", "words"),
    [
        (0, "1s"),
        (100 * SECOND, "100s"),
        (119 * MINUTE, "119m"),
        (2 * HOUR + 20 * MINUTE, "2h"),
        (47 * HOUR, "47h"),
        (2 * DAY + 13 * HOUR, "3d"),
    ],
)
def test_a_span_is_told_in_the_unit_that_shows_its_cause(micros: int, words: str) -> None:
    assert tell_span(micros) == words
