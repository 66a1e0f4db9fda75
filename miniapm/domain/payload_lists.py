"""Reading lists of items that are judged one by one: a bad one does not keep the others out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from miniapm.domain.payload_fields import name_strangers
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

T = TypeVar("T")


class Rejected(msgspec.Struct, frozen=True):
    """What was wrong with one of a list, by its place in it."""

    index: int
    fields: Mapping[str, str]


def explain_rejected(rejected: Sequence[Rejected], name: str) -> Invalid | None:
    """What was wrong with the items of the list called `name`, told by the first; None when nothing
    was."""
    if not rejected:
        return None
    first = rejected[0]
    fields = {f"{name}[{first.index}].{field}": why for field, why in first.fields.items()}
    where, why = next(iter(fields.items()), (f"{name}[{first.index}]", "cannot be kept"))
    count = len(rejected)
    more = f" {count - 1} more of the {name} were refused." if count > 1 else ""
    return Invalid(f"{where} {why}.{more}", fields)


class Items(NamedTuple, Generic[T]):
    """The items of a list that are good, and what was wrong with the others."""

    good: list[T]
    rejected: list[Rejected]


def read_items(
    body: bytes | bytearray, name: str, most: int, read: Callable[[Mapping[str, Any]], T]
) -> Items[T]:
    """What `read` makes of each of the list called `name` in `body`, at most so many.

    Invalid when there is no such list; an item for which `read` raises Invalid is rejected.
    """
    shape = f'{{"{name}": [...]}}'
    given = decode_object(body, shape)
    items: Any = given.get(name)
    problem = ""
    if items is None:
        problem = f"is required: send {shape}{name_strangers(given, (name,), name)}"
    elif not isinstance(items, list):
        problem = "must be a list"
    elif len(items) > most:
        problem = f"are {len(items)}; at most {most} come at once"
    if problem:
        raise Invalid(f"{name} {problem}.", {name: problem})
    found: Items[T] = Items([], [])
    for index, item in enumerate(items):
        try:
            if not isinstance(item, dict):
                raise Invalid("It is no object.", {name.removesuffix("s"): "must be an object"})
            found.good.append(read(item))
        except Invalid as error:
            found.rejected.append(Rejected(index, error.fields))
    return found
