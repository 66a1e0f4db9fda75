"""What is said of a verdict adds up, and hides nothing that weighs."""

import re
from math import exp, log

import pytest

from miniapm.domain.impact.evidence import tell_change
from miniapm.domain.impact.values import Change, EndpointImpact, ErrorImpact, Look, Window
from miniapm.domain.impact.verdicts import Standing
from miniapm.domain.impact.words import tell_reasons, tell_sentence
from tests.impacts import make_change, make_endpoint, make_error

SLOW = make_change(metric="p50", before=122_469.0, after=226_568.0, score=9.0)
FAILING = make_change(
    metric="error_rate", before=0.001, after=0.257, failed_before=1, failed_after=90, score=3.0,
    shifted=5,
)  # fmt: skip


def endpoint(number: int, name: str, *changes: Change, **fields: object) -> EndpointImpact:
    return make_endpoint(endpoint_id=number, name=name, changes=changes, **fields)


def look(
    *endpoints: EndpointImpact, errors: tuple[ErrorImpact, ...] = (), learning: bool = False
) -> Look:
    return Look(
        minutes=30, verdict="regressed", is_learning=learning, after=Window(0, 1),
        endpoints=endpoints, errors=errors,
    )  # fmt: skip


def sentence(found: Look) -> str:
    return tell_sentence("v2", Standing("final", "regressed", found, None), "")


def steady(shift: float, blocks: tuple[float | None, ...], **fields: object) -> Change:
    """A median of 100 ms before; the limit is at 1.6 usual swings of 0.143 from -0.03."""
    figures = {"typical": -0.03, "usual": 0.143, "limit": 1.6, "moments": 719, "fired": 0}
    return make_change(
        metric="p50", before=100_000.0, after=150_000.0, shift=shift, blocks=blocks,
        **{**figures, **fields},
    )  # fmt: skip


def figures(told: str) -> tuple[int, int, int]:
    """The steady part, the usual swing and the limit, in percent."""
    found = re.search(
        r"at least ([+-]\d+) % .*usual swing on this endpoint (\d+) %, called from ([+-]\d+) % on",
        told.replace("\N{MINUS SIGN}", "-"),
    )
    assert found, told
    least, usual, limit = (int(part) for part in found.groups())
    return least, usual, limit


def test_the_figures_that_are_compared_are_told_as_they_were_compared() -> None:
    change = steady(log(1.46), (146_000.0, 150_000.0, 155_000.0, 151_000.0, 140_000.0))
    told = tell_change(endpoint(1, "GET /a", change), change, 30)
    assert figures(told) == (46, 12, 22)
    assert "p50 100 ms to 150 ms (+50 %), at least +46 % in 4 of 5 six-minute blocks from" in told
    # 99 % of the moments lie within -0.03 + 0.143, and 1.6 times 0.143 above -0.03 is the limit
    assert [round((exp(-0.03 + times * 0.143) - 1) * 100) for times in (1, 1.6)] == [12, 22]


@pytest.mark.parametrize("sign", [1, -1], ids=["slower", "faster"])
@pytest.mark.parametrize("times", [1.6, 2.5, 6.8])
def test_what_is_at_the_limit_is_told_at_the_limit(sign: int, times: float) -> None:
    moved = -0.03 + times * 0.143
    blocks = (100_000.0 * exp(sign * moved),) * 5
    change = steady(sign * moved, blocks)
    least, usual, limit = figures(tell_change(endpoint(1, "GET /a", change), change, 30))
    assert (least == limit) == (times == 1.6)
    assert abs(least) >= abs(limit) > usual
    assert "in 5 of 5 six-minute blocks from the first one" in tell_change(
        endpoint(1, "GET /a", change), change, 30
    )


def test_a_quiet_endpoint_is_not_called_below_the_least_shift() -> None:
    change = steady(log(1.2), (120_000.0,) * 5, usual=0.03)
    assert figures(tell_change(endpoint(1, "GET /a", change), change, 30)) == (20, 0, 10)


def test_a_block_without_requests_or_below_is_not_counted() -> None:
    change = steady(log(1.46), (None, 150_000.0, 130_000.0, 146_000.0, 151_000.0))
    told = tell_change(endpoint(1, "GET /a", change), change, 10)
    assert "at least +46 % in 3 of 5 two-minute blocks;" in told


def test_few_requests_are_judged_together() -> None:
    change = steady(log(1.46), (None, 150_000.0, 130_000.0, 146_000.0, 151_000.0))
    few = endpoint(1, "GET /a", change, requests_after=99)
    assert "all two-minute blocks together for want of requests" in tell_change(few, change, 10)


def test_a_guessed_swing_is_told_as_one() -> None:
    change = steady(
        log(2), (200_000.0,) * 5, typical=0.0, usual=0.1, limit=4.0, moments=0, score=6.9
    )
    told = tell_change(endpoint(1, "GET /a", change), change, 30)
    assert "its usual swing is not known yet, taken as 11 %, called from +49 % on." in told


def test_beside_another_version_chance_is_what_it_is_measured_by() -> None:
    change = steady(log(1.46), (150_000.0,) * 5, typical=0.0, usual=0.1, limit=2.0, moments=0)
    told = tell_change(endpoint(1, "GET /a", change, same_time=True), change, 5)
    assert "at least +46 % in 4 of the one-minute blocks that both served" in told
    assert "by chance they differ by 11 % at most, called from +22 % on." in told


def test_a_reason_says_what_its_replay_counted() -> None:
    told = tell_change(endpoint(1, "GET /a", FAILING), FAILING, 30)
    assert "0.10 % to 26 % of requests failed (1 before, 90 after, in 5 of 5 six-minute" in told
    assert told.endswith(
        "this rule would have fired at 11 of 2,016 moments without a deploy (failures of this "
        "endpoint alone)."
    )
    assert "(p50 of this endpoint alone)" in tell_change(endpoint(1, "GET /a", SLOW), SLOW, 30)


@pytest.mark.parametrize(
    ("endpoints", "told"),
    [
        (
            (endpoint(1, "GET /search", SLOW), endpoint(2, "POST /orders", FAILING)),
            "made GET /search 85 % slower and POST /orders fail 26 % of its requests (before "
            "0.10 %)",
        ),
        (
            (endpoint(1, "GET /search", SLOW, FAILING),),
            "made GET /search 85 % slower and fail 26 % of its requests (before 0.10 %)",
        ),
        (
            (endpoint(1, "GET /search", SLOW), endpoint(2, "GET /", SLOW), endpoint(3, "/c", SLOW)),
            "made GET /search 85 % slower and 2 more endpoints slower",
        ),
        (
            (
                endpoint(2, "POST /orders", FAILING),
                endpoint(1, "GET /search", SLOW, FAILING),
                endpoint(3, "GET /", SLOW),
            ),
            "made POST /orders fail 26 % of its requests (before 0.10 %), GET /search 85 % slower, "
            "1 more endpoint slower and 1 more endpoint fail more often",
        ),
    ],
    ids=["two", "one", "three", "both-ways"],
)
def test_the_headline_names_each_kind(endpoints: tuple[EndpointImpact, ...], told: str) -> None:
    quiet = make_endpoint(endpoint_id=9, verdict="unchanged")
    assert sentence(look(*endpoints, quiet)) == f"v2 {told}; 1 endpoint unchanged."


def test_the_headline_names_the_new_error_beside_what_is_slower() -> None:
    found = look(endpoint(1, "GET /search", SLOW), errors=(make_error(),))
    assert (
        sentence(found) == "v2 made GET /search 85 % slower and brought the new error CardDeclined."
    )


def test_what_became_faster_is_counted_as_such() -> None:
    faster = make_change(metric="p50", verdict="improved", before=100_000.0, after=64_000.0)
    better = [endpoint(number, f"GET /{number}", faster, verdict="improved") for number in (1, 2)]
    standing = Standing("final", "improved", look(*better), None)
    assert tell_sentence("v2", standing, "") == (
        "v2 made GET /1 36 % faster and 1 more endpoint faster; nothing got worse."
    )


def test_learning_says_what_is_wanting() -> None:
    standing = Standing("final", "regressed", look(learning=True), None)
    [told] = [one for one in tell_reasons(standing, ()) if one.startswith("Learning")]
    assert "fewer than 100 moments in 14 days that had 50 requests both before and after" in told
