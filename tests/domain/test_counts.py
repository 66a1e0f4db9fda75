"""Counts in one form."""

import pytest

from miniapm.domain.counts import tell_count


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 deploys"), (1, "1 deploy"), (2, "2 deploys"), (1203, "1,203 deploys")],
)
def test_a_count_in_words(count: int, words: str) -> None:
    assert tell_count(count, "deploy") == words
