"""Whether an occurrence names a person: as its user, or in its context."""

from collections.abc import Iterator, Mapping
from typing import Any

from miniapm.domain.errors.values import Occurrence

_WHO = ("user", "enduser")


def names_person(occurrence: Occurrence, user_id: str) -> bool:
    """By `user_id`, or by `user.id`, `enduser.id` or `{"user": {"id": ...}}` in the context."""
    return occurrence.user_id == user_id or user_id in _find_named(occurrence.context)


def _find_named(context: Any) -> Iterator[str]:
    if not isinstance(context, Mapping):
        return
    for who in _WHO:
        nested = context.get(who)
        values = [context.get(f"{who}.id")]
        if isinstance(nested, Mapping):
            values.append(nested.get("id"))
        yield from (str(value) for value in values if isinstance(value, str | int))
