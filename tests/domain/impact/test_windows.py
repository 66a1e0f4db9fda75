"""Which minutes are compared with which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.values import Window
from miniapm.domain.impact.verdicts import Standing, fold_looks
from miniapm.domain.impact.windows import BLOCKS, LOOKS, cut_blocks, plan_windows

AT = 1000 * HOUR


def test_an_hour_before_is_cut_into_six_pieces_that_end_at_the_deploy() -> None:
    plan = plan_windows(AT, None, None, None, None)
    assert plan.before == Window(AT - HOUR, AT)
    assert [(p.since - AT) // MINUTE for p in plan.pieces] == [-60, -50, -40, -30, -20, -10]
    assert plan.pieces[-1].until == AT


def test_two_minutes_of_warm_up_are_left_out() -> None:
    assert plan_windows(AT, None, None, None, None).after(10) == Window(
        AT + 2 * MINUTE, AT + 12 * MINUTE
    )


def test_a_minute_that_the_deploy_falls_into_belongs_to_neither_side() -> None:
    plan = plan_windows(AT + 20_000_000, None, None, None, None)
    assert plan.before.until == AT
    assert plan.after_since == AT + 3 * MINUTE


def test_a_deploy_counts_from_the_first_telemetry_of_its_version() -> None:
    plan = plan_windows(AT, None, AT + 5 * MINUTE, None, None)
    assert plan.at == AT + 5 * MINUTE
    assert plan.after_since == AT + 7 * MINUTE
    assert plan.before.until == AT


def test_telemetry_from_before_moves_nothing() -> None:
    assert plan_windows(AT, None, AT - MINUTE, None, None) == plan_windows(
        AT, None, None, None, None
    )


def test_a_version_that_comes_much_later_is_not_looked_at() -> None:
    plan = plan_windows(AT, None, AT + HOUR + 1, None, None)
    assert plan.looks == []
    assert fold_looks(plan, {}) == Standing("final", "not_enough_data", None, None)
    assert plan_windows(AT, None, AT + HOUR, None, None).looks != []


def test_the_time_before_ends_where_the_roll_out_began() -> None:
    plan = plan_windows(AT, AT - 7 * MINUTE, None, None, None)
    assert plan.before == Window(AT - HOUR - 7 * MINUTE, AT - 7 * MINUTE)


def test_the_time_before_begins_after_the_previous_deploy() -> None:
    plan = plan_windows(AT, None, None, AT - 35 * MINUTE, None)
    assert plan.before.since == AT - 33 * MINUTE
    assert len(plan.pieces) == 3


def test_with_less_than_ten_minutes_before_there_is_nothing_to_compare() -> None:
    plan = plan_windows(AT, None, None, AT - 11 * MINUTE, None)
    assert plan.pieces == []
    assert plan_windows(AT, None, None, AT - 12 * MINUTE, None).pieces != []


def test_the_next_deploy_cuts_looks_off() -> None:
    plan = plan_windows(AT, None, None, None, AT + 32 * MINUTE)
    assert plan.looks == [5, 10, 30]
    assert plan_windows(AT, None, None, None, AT + 32 * MINUTE - 1).looks == [5, 10]


@given(
    at=st.integers(0, HOUR),
    started=st.none() | st.integers(0, HOUR),
    seen=st.none() | st.integers(0, HOUR),
    previous=st.none() | st.integers(0, 2 * HOUR),
)
def test_windows_are_whole_minutes_before_and_after(
    at: int, started: int | None, seen: int | None, previous: int | None
) -> None:
    deployed_at = AT + at
    plan = plan_windows(
        deployed_at,
        None if started is None else deployed_at - started,
        None if seen is None else deployed_at + seen,
        None if previous is None else deployed_at - previous,
        None,
    )
    edges = [plan.before.since, plan.before.until, plan.after_since]
    assert [edge % MINUTE for edge in edges] == [0, 0, 0]
    assert plan.before.since <= plan.before.until <= deployed_at <= plan.at < plan.after_since
    for piece in plan.pieces:
        assert plan.before.since <= piece.since < piece.until <= plan.before.until


@pytest.mark.parametrize("look", LOOKS)
def test_blocks_are_equal_and_cover_the_time_after(look: int) -> None:
    window = plan_windows(AT, None, None, None, None).after(look)
    blocks = cut_blocks(window)
    assert len(blocks) == BLOCKS
    assert blocks[0].since == window.since
    assert blocks[-1].until == window.until
    assert {block.until - block.since for block in blocks} == {look * MINUTE // BLOCKS}
    assert [block.since for block in blocks[1:]] == [block.until for block in blocks[:-1]]
