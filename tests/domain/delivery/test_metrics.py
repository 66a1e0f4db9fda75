"""The parts of the numbers: medians, bands, names of environments, git's words."""

import pytest

from miniapm.clock import DAY, HOUR
from miniapm.domain.delivery.bands import Bands, find_bands
from miniapm.domain.delivery.metrics import Metrics, find_median, find_p90, measure
from miniapm.domain.delivery.reverts import find_reverted
from miniapm.domain.delivery.rules import DeliveryRules, parse_names
from miniapm.domain.delivery.values import Failure, LiveDeploy, Outcome
from miniapm.domain.deploys.commits import is_same_commit

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("ordered", "median", "p90"),
    [
        ([], None, None),
        ([7], 7, 7),
        ([1, 4], 2, 4),
        ([1, 2, 9], 2, 9),
        (list(range(1, 11)), 5, 9),
        (list(range(1, 12)), 6, 10),
    ],
)
def test_median_and_the_ninth_of_ten(
    ordered: list[int], median: int | None, p90: int | None
) -> None:
    assert (find_median(ordered), find_p90(ordered)) == (median, p90)


def make(deploys: int, failed: int, days: int, wait: int, recovery: int) -> Metrics:
    outcomes = [
        Outcome(
            LiveDeploy(number, str(number), 0),
            failure=Failure("tag") if number < failed else None,
            recovered_at=recovery if number < failed else None,
        )
        for number in range(deploys)
    ]
    return measure(outcomes, [wait], 0, days)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (make(9, 0, 1, HOUR, 0), Bands()),
        (make(20, 1, 10, DAY - 1, HOUR - 1), Bands("elite", "elite", "elite", "elite")),
        (make(10, 1, 10, DAY, HOUR), Bands("high", "high", "high", "high")),
        (make(20, 3, 140, 7 * DAY, DAY), Bands("high", "medium", "medium", "medium")),
        (make(20, 3, 141, 30 * DAY - 1, DAY), Bands("medium", "medium", "medium", "medium")),
        (make(10, 2, 301, 30 * DAY, 7 * DAY), Bands("low", "low", "low", "low")),
    ],
)
def test_bands_of_2023(metrics: Metrics, expected: Bands) -> None:
    assert find_bands(metrics) == expected


def test_environments_are_named_without_case_and_by_patterns() -> None:
    rules = DeliveryRules(production=parse_names(" production, prod-*,, production "))
    assert rules.production == ("production", "prod-*")
    assert [rules.is_production(env) for env in ("Production", "prod-eu", "prod", "staging")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not DeliveryRules(production=()).is_production("production")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f'Revert "x"\n\nThis reverts commit {SHA}.', (SHA,)),
        (f"This reverts commit {SHA[:7].upper()}, reversing\nchanges", (SHA[:7],)),
        (f"This reverts commit {SHA}.\nThis reverts commit {SHA}.", (SHA,)),
        ('Revert "This and that"', ()),
        ("This reverts commit abc", ()),
        (f"this reverts commit {SHA}", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_only_gits_own_words_revert(message: str | None, expected: tuple[str, ...]) -> None:
    assert find_reverted(message) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (SHA, SHA[:7], True),
        (SHA[:8].upper(), SHA, True),
        (SHA, SHA[:6], False),
        ("v1", "v1", True),
        ("v1", "v12", False),
    ],
)
def test_shas_may_be_cut(one: str, other: str, expected: bool) -> None:
    assert is_same_commit(one, other) is expected
