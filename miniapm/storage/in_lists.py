"""Lists of values for `in (...)`, each bound under a name of its own."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from miniapm.domain.parts import cut_in_parts

# SQLite takes no more than so many values in one statement, and some builds fewer
MOST_AT_ONCE = 500

T = TypeVar("T")


def bind_list(letter: str, values: Iterable[T]) -> tuple[str, dict[str, T]]:
    """What stands between the brackets, and what to bind: names of `letter` and a number. Nothing
    is in an empty list."""
    bound = {f"{letter}{place}": value for place, value in enumerate(values)}
    return ", ".join(f":{name}" for name in bound) or "null", bound


def bind_parts(letter: str, values: Sequence[T]) -> Iterator[tuple[str, dict[str, T]]]:
    """The same of a list that may be long, MOST_AT_ONCE at a time."""
    return (bind_list(letter, part) for part in cut_in_parts(values, MOST_AT_ONCE))
