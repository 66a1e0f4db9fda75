"""Ids: time-ordered, never twice, decimal as text."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from miniapm.clock import DAY, HOUR
from miniapm.domain.ids import MAX_ID, IdMaker, parse_id
from tests.conftest import FakeClock
from tests.factories import START


def test_ids_grow_while_the_clock_stands_and_when_it_goes_back() -> None:
    clock = FakeClock()
    make_id = IdMaker(clock)
    made = [make_id() for _ in range(1000)]
    clock.move(-HOUR)
    made += [make_id() for _ in range(1000)]
    clock.move(2 * HOUR)
    made.append(make_id())
    assert made == sorted(set(made))


def test_ids_are_ordered_by_time_across_makers() -> None:
    early, late = IdMaker(FakeClock(START)), IdMaker(FakeClock(START + 1000))
    assert early() < late()


def test_two_makers_of_one_moment_do_not_meet() -> None:
    first, second = IdMaker(FakeClock()), IdMaker(FakeClock())
    # each begins at random among a million
    assert first() != second() or first() != second()


def test_threads_never_get_the_same_id() -> None:
    make_id = IdMaker(FakeClock())
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: make_id(), range(4000)))
    assert len(set(made)) == 4000


def test_an_id_fits_63_bits_for_a_hundred_years() -> None:
    assert 0 < IdMaker(FakeClock(START + 36_500 * DAY))() <= MAX_ID


@pytest.mark.parametrize("text", ["1", "42", str(MAX_ID)])
def test_decimal_text_is_read(text: str) -> None:
    assert parse_id(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", " 1", "1.0", "0x1", "a", str(MAX_ID + 1), "9" * 400, "\u0661"]
)
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    assert parse_id(text) is None
