"""Whose an occurrence is."""

from typing import Any

import pytest

from miniapm.domain.errors.persons import names_person
from tests.factories import make_occurrence


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"user.id": "4711"}, True),
        ({"user.id": 4711}, True),
        ({"enduser.id": "4711"}, True),
        ({"user": {"id": 4711}}, True),
        ({"enduser": {"id": "4711"}}, True),
        ({"enduser.id": "1", "user": {"id": "4711"}}, True),
        ({"user": {"id": "14711"}}, False),
        ({"user": "4711"}, False),
        ({"user": ["id", "4711"]}, False),
        ({"id": "4711"}, False),
        (["user.id", "4711"], False),
        ("4711", False),
        (None, False),
    ],
)
def test_a_context_may_name_a_person(context: Any, expected: bool) -> None:
    assert names_person(make_occurrence(context=context), "4711") is expected


def test_the_user_of_the_error_is_the_person() -> None:
    assert names_person(make_occurrence(user_id="4711", context={"user.id": "1"}), "4711")
