"""Which deploys of a lane failed, by what, and what recovered them."""

from typing import Any

import pytest

from miniapm.domain.delivery.failures import fold_lane
from miniapm.domain.delivery.reverts import MOST_REVERTED, find_reverted
from miniapm.domain.delivery.values import LiveDeploy, Outcome


def live(number: int, sha: str, **fields: Any) -> LiveDeploy:
    return LiveDeploy(id=number, git_sha=sha, at=number * 100, **fields)


def tell(outcomes: list[Outcome]) -> str:
    """`a! b~ c`: ! for failed, ~ for rework, = for a redeploy."""
    return " ".join(
        o.deploy.git_sha
        + "!" * (o.failure is not None)
        + "~" * (o.rework is not None)
        + "=" * o.is_redeploy
        for o in outcomes
    )


@pytest.mark.parametrize(
    ("shas", "expected"),
    [
        ("abc", "a b c"),
        ("aab", "a a= b"),
        ("aba", "a b! a~"),
        ("abca", "a b! c! a~"),
        ("abac", "a b! a~ c"),
        # taking back a rollback is no rollback
        ("abab", "a b! a~ b"),
        ("ababa", "a b! a~ b! a~"),
        # a redeploy between them changes nothing
        ("abba", "a b! b= a~"),
        # back to b, then further back to a
        ("abcba", "a b! c! b!~ a~"),
    ],
)
def test_rollbacks_by_their_shas(shas: str, expected: str) -> None:
    deploys = [live(number, sha) for number, sha in enumerate(shas, 1)]
    assert tell(fold_lane(deploys)) == expected
    assert tell(fold_lane(deploys[::-1])) == expected


def test_what_was_live_before_the_stretch_is_known() -> None:
    before = LiveDeploy(1, "b", 100, first_live_at=100)
    [outcome] = fold_lane([live(3, "a", first_live_at=50)], before)
    assert (outcome.is_rollback, outcome.is_first, outcome.rework) == (True, False, "rollback")
    [again] = fold_lane([live(3, "b", first_live_at=100)], before)
    assert again.is_redeploy


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"is_regressed": True}, "regressed"),
        ({"failure_tag": "sev1", "is_regressed": True}, "tag"),
        ({"overruled": "failed", "failure_tag": "sev1"}, "overruled"),
        ({"overruled": "ok", "failure_tag": "sev1", "is_regressed": True}, None),
    ],
)
def test_the_first_reason_that_holds_is_told(fields: dict[str, Any], reason: str | None) -> None:
    [outcome] = fold_lane([live(1, "a", **fields)])
    assert (outcome.failure and outcome.failure.reason) == reason


def test_a_person_overrules_a_rollback_and_a_fix() -> None:
    deploys = [live(1, "a"), live(2, "b", overruled="ok"), live(3, "a"), live(4, "c", is_fix=True)]
    assert tell(fold_lane(deploys)) == "a b a~ c~"


def test_a_fix_accuses_the_one_before_but_no_rollback() -> None:
    assert tell(fold_lane([live(1, "a"), live(2, "b", is_fix=True)])) == "a! b~"
    deploys = [live(1, "a"), live(2, "b"), live(3, "a"), live(4, "c", is_fix=True)]
    assert tell(fold_lane(deploys)) == "a b! a~ c~"


def test_recovery_is_by_the_first_that_did_not_fail() -> None:
    deploys = [
        live(1, "a", failure_tag="sev1"),
        live(2, "b", failure_tag="sev1"),
        live(3, "b"),
        live(4, "c"),
        live(5, "d", failure_tag="sev1"),
    ]
    told = [(o.deploy.id, o.recovery_us, o.recovered_by) for o in fold_lane(deploys) if o.failure]
    # the redeploy of b recovers nothing
    assert told == [(1, 300, 4), (2, 200, 4), (5, None, None)]


def test_a_revert_accuses_who_brought_it_and_not_itself_or_what_comes() -> None:
    deploys = [live(1, "a"), live(2, "b"), live(3, "c", reverts=("a1", "c1", "d1")), live(4, "d")]
    carriers = {"a1": [1], "c1": [3], "d1": [4]}
    outcomes = fold_lane(deploys, None, carriers)
    assert tell(outcomes) == "a! b c~ d"
    failure = outcomes[0].failure
    assert failure is not None
    assert (failure.reason, failure.by_id) == ("revert", 3)


def test_a_commit_takes_back_a_few_at_most() -> None:
    shas = [f"{number:040x}" for number in range(MOST_REVERTED + 5)]
    message = "\n".join(f"This reverts commit {sha}." for sha in shas)
    assert find_reverted(message) == tuple(shas[:MOST_REVERTED])
