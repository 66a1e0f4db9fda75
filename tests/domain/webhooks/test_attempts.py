"""What follows from a try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.webhooks.attempts import (
    MOST_ATTEMPTS,
    Answered,
    Unreached,
    find_delay,
    judge,
    parse_retry_after,
)
from tests.factories import START


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    verdict = judge("error.new", 1, Answered(status), START, 0.5)
    assert (verdict.state, verdict.next_attempt_at, verdict.problem) == ("delivered", None, "")


@pytest.mark.parametrize(
    ("outcome", "problem", "holds"),
    [
        (Answered(500), "it answers 500", True),
        (Answered(429), "it answers 429", True),
        (Answered(400), "it answers 400", False),
        (Answered(302), "it answers with a redirect (302), which is not followed", False),
        (Unreached("no answer within 10 s"), "no answer within 10 s", True),
    ],
)
def test_everything_else_is_tried_again(
    outcome: Answered | Unreached, problem: str, holds: bool
) -> None:
    verdict = judge("error.new", 1, outcome, START, 0.5)
    assert (verdict.state, verdict.problem, verdict.holds) == ("waiting", problem, holds)
    assert verdict.next_attempt_at == START + 30 * SECOND


def test_gone_ends_it() -> None:
    verdict = judge("error.new", 1, Answered(410), START, 0.5)
    assert (verdict.state, verdict.next_attempt_at, verdict.disables) == ("failed", None, True)


def test_after_half_a_day_it_has_failed() -> None:
    delays = [find_delay(attempt, 0.5) for attempt in range(1, MOST_ATTEMPTS)]
    assert delays == sorted(delays)
    assert 10 * HOUR < sum(delays) < 14 * HOUR
    assert judge("error.new", MOST_ATTEMPTS - 1, Answered(500), START, 0.5).state == "waiting"
    last = judge("error.new", MOST_ATTEMPTS, Answered(500), START, 0.5)
    assert (last.state, last.next_attempt_at) == ("failed", None)


def test_a_test_is_tried_once() -> None:
    assert judge("webhook.test", 1, Answered(500), START, 0.5).state == "failed"


@given(st.integers(1, MOST_ATTEMPTS), st.floats(0, 1))
def test_chance_spreads_by_a_fifth(attempt: int, chance: float) -> None:
    middle = find_delay(attempt, 0.5)
    assert 0.79 * middle <= find_delay(attempt, chance) <= 1.21 * middle


def test_the_receiver_may_ask_for_more_time() -> None:
    later = judge("error.new", 1, Answered(503, 5 * MINUTE), START, 0.5)
    assert later.next_attempt_at == START + 5 * MINUTE
    sooner = judge("error.new", 3, Answered(503, SECOND), START, 0.5)
    assert sooner.next_attempt_at == START + 8 * MINUTE
    never = judge("error.new", 1, Answered(503, 900 * DAY), START, 0.5)
    assert never.next_attempt_at == START + DAY


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120 * SECOND),
        (" 0 ", 0),
        ("Thu, 09 Oct 2025 08:54:20 GMT", MINUTE),
        ("Thu, 09 Oct 2025 08:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("9" * 400, 999_999_999 * SECOND),
    ],
)
def test_retry_after(value: str, expected: int | None) -> None:
    assert parse_retry_after(value, 1_760_000_000 * SECOND) == expected
