"""Client spans that came before their entry, remembered until it comes.

A request that is under way when its exporter sends a batch has its calls in one batch and itself in
a later one; the longer it takes, the likelier that is, and long ones are those that people look at.
Calls that come after their entry are not joined: rollups have counted it by then.
"""

from collections.abc import Sequence

from miniapm.clock import MINUTE
from miniapm.domain.spans.values import EarlyCalls, Entry

MOST_REMEMBERED = 20_000
REMEMBERED_FOR = 15 * MINUTE

_Sums = tuple[int, int, int, int, int]
"""When they came (µs), then the sums of `EarlyCalls`."""
_NOTHING: _Sums = (0, 0, 0, 0, 0)


class EarlyCallsMemory:
    """Bounded in number and time. Empty after a restart: then an entry shows too little time."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, str, bytes], _Sums] = {}

    def add(self, project_id: int, calls: Sequence[EarlyCalls], now: int) -> None:
        """Remembers `calls`, which came at `now` (µs)."""
        sums = self._sums
        for call in calls:
            key = project_id, call.service, call.trace_id
            _, database_us, database_count, http_us, http_count = sums.pop(key, _NOTHING)
            sums[key] = (
                now,
                database_us + call.database_us,
                database_count + call.database_count,
                http_us + call.http_us,
                http_count + call.http_count,
            )
            if len(sums) > MOST_REMEMBERED:
                del sums[next(iter(sums))]

    def complete(self, project_id: int, entries: list[Entry]) -> list[Entry]:
        """`entries` with what was remembered of their traces, which is then forgotten."""
        if not self._sums:
            return entries
        return [self._complete(project_id, entry) for entry in entries]

    def _complete(self, project_id: int, entry: Entry) -> Entry:
        if entry.trace_id is None:
            return entry
        sums = self._sums.pop((project_id, entry.release.service, entry.trace_id), None)
        if sums is None:
            return entry
        _, database_us, database_count, http_us, http_count = sums
        return entry._replace(
            database_us=entry.database_us + database_us,
            database_count=entry.database_count + database_count,
            http_us=entry.http_us + http_us,
            http_count=entry.http_count + http_count,
        )

    def forget_old(self, now: int) -> None:
        """Drops what no entry has come for."""
        while self._sums:
            key = next(iter(self._sums))
            if self._sums[key][0] > now - REMEMBERED_FOR:
                return
            del self._sums[key]
