"""Old occurrences of errors; their groups and counts stay."""

from miniapm.storage.connection import Connection
from miniapm.storage.errors.occurrences import delete_occurrences_before
from miniapm.storage.retention.sweep import Slice


class OldOccurrences:
    """Those that happened before the instant `before` (µs)."""

    def __init__(self, before: int) -> None:
        self._before = before

    def __call__(self, connection: Connection, size: int) -> Slice:
        removed = delete_occurrences_before(connection, self._before, size)
        return Slice({"occurrences": removed}, removed < size)
