"""Cutting a large request into small ones, without decoding what is in it.

So a body of 64 MiB is never in memory as messages, and no stored batch takes long to open. Requests
have three levels in all signals and both encodings: a list of resources, each with a list of scopes
beside the resource, each with a list of items beside the scope.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from miniapm.exceptions import Invalid

LARGE_BYTES = 1024 * 1024
ITEMS = 2
"""The level of spans, log records and metrics; 0 is that of resources."""


class Syntax(Protocol):
    """How an encoding writes the levels. Elements are parts of the body, as they stand in it."""

    shortest_item: int
    """Items of large bodies are longer than this on average: walking through millions of empty ones
    would take seconds."""

    def read_beside(self, owner: memoryview, level: int) -> bytes:
        """What `owner` has beside its list: each of its parts repeats it."""

    def read_elements(self, owner: memoryview, level: int) -> Iterator[memoryview]:
        """The elements of `owner`'s list."""

    def open(self, element: memoryview) -> memoryview:
        """The element as the owner of the next level."""

    def write_owner(
        self, level: int, beside: bytes, elements: Sequence[bytes | memoryview]
    ) -> bytes:
        """An owner with these elements, as an element of the level above, or a request."""


class _Splitter:
    def __init__(
        self, syntax: Syntax, most_bytes: int, most_elements: int, refuse: Callable[[], None]
    ) -> None:
        self._syntax = syntax
        self._most_bytes = most_bytes
        self._left = most_elements
        self._refuse = refuse

    def split(self, owner: memoryview, level: int) -> Iterator[bytes]:
        """Owners of about the allowed size that together have the items of `owner`."""
        write_owner = self._syntax.write_owner
        beside = self._syntax.read_beside(owner, level)
        if len(beside) > self._most_bytes:
            raise Invalid(f"A resource or scope is larger than {self._most_bytes:,} bytes.")
        waiting: list[memoryview] = []
        size = 0
        for element in self._syntax.read_elements(owner, level):
            self._count()
            if len(element) > self._most_bytes:
                if level == ITEMS:
                    self._refuse()
                else:
                    for part in self.split(self._syntax.open(element), level + 1):
                        yield write_owner(level, beside, [part])
                continue
            waiting.append(element)
            size += len(element)
            if size >= self._most_bytes:
                yield write_owner(level, beside, waiting)
                waiting, size = [], 0
        if waiting:
            yield write_owner(level, beside, waiting)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Invalid("The body is made of too many small pieces.")


def split_request(
    body: bytes, syntax: Syntax, refuse: Callable[[], None], most_bytes: int = LARGE_BYTES
) -> Iterator[bytes]:
    """`body` itself when it is small, else requests of about `most_bytes` with the same items.

    Calls `refuse` for each item that is larger than that, which is left out. Invalid when the bytes
    are no request.
    """
    if len(body) <= most_bytes:
        yield body
    else:
        most_elements = len(body) // syntax.shortest_item
        yield from _Splitter(syntax, most_bytes, most_elements, refuse).split(memoryview(body), 0)
