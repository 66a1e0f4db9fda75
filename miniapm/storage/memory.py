"""What pages remember of what they read, so that the next one need not read it again."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, NamedTuple

_ENTRY_BYTES = 1000
"""What an entry takes beside its value."""


class _Remembered(NamedTuple):
    version: Hashable
    value: Any
    size: int


class Memory:
    """Values by key, each with the version of what it was made of; those that were asked for last,
    of `limit` bytes together. For several threads; its values are not to be changed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._remembered: OrderedDict[Hashable, _Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable, version: Hashable) -> Any:
        """The value of `key`; None when none is remembered, or one of another version."""
        with self._lock:
            found = self._remembered.get(key)
            if found is None or found.version != version:
                return None
            self._remembered.move_to_end(key)
            return found.value

    def keep(self, key: Hashable, version: Hashable, value: Any, size: int) -> None:
        """Remembers a value of about `size` bytes in place of what `key` had."""
        size += _ENTRY_BYTES
        with self._lock:
            self._drop(key)
            if size <= self._limit:
                self._remembered[key] = _Remembered(version, value, size)
                self._size += size
            while self._size > self._limit:
                self._drop(next(iter(self._remembered)))

    def _drop(self, key: Hashable) -> None:
        dropped = self._remembered.pop(key, None)
        if dropped is not None:
            self._size -= dropped.size
