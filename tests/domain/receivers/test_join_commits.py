"""What several releases bring together."""

from collections.abc import Iterator

import pytest

from miniapm.domain.deploys.payload import MAX_COMMITS
from miniapm.domain.deploys.values import Commit
from miniapm.domain.receivers.sentry import join_commits


def make_release(begin: int, count: int, message: str = "x") -> list[Commit]:
    return [Commit(f"{number:040x}", None, message) for number in range(begin, begin + count)]


def test_each_once_as_the_newest_release_has_it() -> None:
    newer, older = make_release(2, 2, "newer"), make_release(0, 3, "older")
    joined = join_commits([newer, older])
    assert [(int(one.sha, 16), one.message) for one in joined] == [
        (2, "newer"),
        (3, "newer"),
        (0, "older"),
        (1, "older"),
    ]


@pytest.mark.parametrize(
    ("size", "step", "read", "kept"),
    [
        (MAX_COMMITS, MAX_COMMITS, 1, MAX_COMMITS),
        (600, 600, 2, MAX_COMMITS),
        (750, 0, 4, 750),
    ],
    ids=["full", "two", "the-same-again"],
)
def test_no_more_is_read_than_a_deploy_keeps(size: int, step: int, read: int, kept: int) -> None:
    begun = []

    def releases() -> Iterator[list[Commit]]:
        for number in range(100):
            begun.append(number)
            yield make_release(number * step, size)

    assert len(join_commits(releases())) == kept
    assert len(begun) == read
