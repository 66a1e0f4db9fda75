"""The budget of bytes: what does not fit is refused at once, and a little room is kept."""

import pytest

from miniapm.exceptions import Busy
from miniapm.storage.budget import ROOM_FOR_SMALL, SMALL_BYTES, ByteBudget, Reservation


def test_what_does_not_fit_is_refused_and_takes_nothing() -> None:
    budget = ByteBudget(1_000_000)
    budget.take(900_000)
    with pytest.raises(Busy) as caught:
        budget.take(200_000)
    assert caught.value.retry_after > 0
    assert budget.taken == 900_000
    budget.give_back(900_000)
    budget.take(1_000_000)


def test_small_ones_still_fit_beside_large_ones() -> None:
    budget = ByteBudget(1_000_000)
    budget.take(1_000_000)
    small = ROOM_FOR_SMALL // SMALL_BYTES
    for _ in range(small):
        budget.take(SMALL_BYTES)
    with pytest.raises(Busy):
        budget.take(SMALL_BYTES)


def test_a_reservation_grows_and_is_given_back_whole() -> None:
    budget = ByteBudget(1_000_000)
    reserved = Reservation(budget)
    reserved.grow_to(300_000)
    reserved.grow_to(200_000)
    assert budget.taken == 300_000
    with pytest.raises(Busy):
        reserved.grow_to(2_000_000)
    reserved.release()
    reserved.release()
    assert budget.taken == 0
