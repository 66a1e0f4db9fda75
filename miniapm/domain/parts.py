"""Long lists, a part at a time."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def cut_in_parts(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """`values` in their order, `most` at a time; the last part may be shorter."""
    return (values[begin : begin + most] for begin in range(0, len(values), most))
