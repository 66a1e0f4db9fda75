"""How a group changes: counted, resolved, come back."""

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.errors.groups import (
    add_occurrences,
    change_state,
    find_return,
    open_group,
    reopen,
)
from miniapm.domain.errors.values import Group, Occurrence
from tests.factories import START, make_occurrence


def at(offset: int, message: str = "m") -> Occurrence:
    return make_occurrence(happened_at=START + offset, message=message)


@pytest.fixture
def group() -> Group:
    first = at(0, "first")
    return add_occurrences(open_group(1, 1, first), [first])


def test_it_begins_with_one(group: Group) -> None:
    assert (group.count, group.state) == (1, "open")
    assert group.first_seen_at == group.last_seen_at == START
    assert not group.is_regressed


def test_late_occurrences_move_the_beginning_and_leave_the_message(group: Group) -> None:
    later = add_occurrences(group, [at(-HOUR, "early"), at(-MINUTE, "late")])
    assert (later.count, later.message) == (3, "first")
    assert (later.first_seen_at, later.last_seen_at) == (START - HOUR, START)
    assert add_occurrences(later, [at(MINUTE, "news")]).message == "news"


def test_what_happened_before_it_was_resolved_does_not_open_it(group: Group) -> None:
    resolved = change_state(group, "resolved", "ana", START + HOUR)
    assert find_return(resolved, [at(HOUR), at(MINUTE)]) is None


def test_it_comes_back_with_the_first_after_it_was_resolved(group: Group) -> None:
    resolved = change_state(group, "resolved", "ana", START + HOUR)
    back = find_return(resolved, [at(3 * HOUR), at(2 * HOUR), at(0)])
    assert back is not None
    assert back.happened_at == START + 2 * HOUR
    opened = reopen(resolved, back.happened_at, 7)
    assert opened.is_regressed
    assert (opened.state, opened.regressed_deploy_id) == ("open", 7)
    assert opened.resolved_at == START + HOUR


def test_a_late_one_shows_that_it_came_back_earlier(group: Group) -> None:
    resolved = change_state(group, "resolved", "ana", START + HOUR)
    opened = reopen(resolved, START + 3 * HOUR, 7)
    assert find_return(opened, [at(4 * HOUR)]) is None
    earlier = find_return(opened, [at(2 * HOUR)])
    assert earlier is not None
    assert earlier.happened_at == START + 2 * HOUR


def test_what_is_ignored_or_open_does_not_come_back(group: Group) -> None:
    assert find_return(group, [at(HOUR)]) is None
    assert find_return(change_state(group, "ignored", "ana", START), [at(HOUR)]) is None
    opened = change_state(change_state(group, "resolved", "ana", START), "open", "ana", START)
    assert find_return(opened, [at(HOUR)]) is None


def test_a_word_of_a_person_ends_the_regression(group: Group) -> None:
    opened = reopen(change_state(group, "resolved", "ana", START), START + HOUR, 7)
    said = change_state(opened, "open", "bo", START + 2 * HOUR)
    assert not said.is_regressed
    assert (said.state_changed_by, said.resolved_at) == ("bo", None)
