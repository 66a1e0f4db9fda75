"""Erasing a trace or a person beside a running server: many reads, and short writes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec

from miniapm.cli.output import tell
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.erasure import (
    Erased,
    count_batches,
    erase_occurrences,
    erase_trace,
    find_named_occurrences,
    find_user_traces,
)
from miniapm.storage.once import open_existing, rehearse_once, write_once
from miniapm.storage.retention.sweep import REST

P = ParamSpec("P")
_TOLD_STEPS = 10


class Eraser:
    """Erases in one project. A rehearsal only counts."""

    def __init__(self, path: Path, project_id: int, act: Act, *, is_rehearsal: bool) -> None:
        self._path = path
        self._project_id = project_id
        self._act = act
        self._is_rehearsal = is_rehearsal

    def erase_trace(self, trace_id: str) -> Erased:
        """A trace by its hex id, and the errors that name it."""
        erased = self._write(erase_trace, self._project_id, trace_id)
        erased = erased.plus(self._erase_occurrences({trace_id}))
        self._note("trace.erase", f"trace {trace_id}", erased)
        return erased

    def erase_user(self, user_id: str) -> Erased:
        """The errors of a person, and the traces whose spans name that person."""
        erased = Erased()
        trace_ids = self._find_traces(user_id)
        for trace_id in sorted(trace_ids):
            erased = erased.plus(self._write(erase_trace, self._project_id, trace_id))
        erased = erased.plus(self._erase_occurrences(trace_ids, user_id))
        # who it was is what shall be forgotten
        self._note("user.erase", "a person", erased)
        return erased

    def _find_traces(self, user_id: str) -> set[str]:
        found: set[str] = set()
        with open_existing(self._path) as connection:
            total = count_batches(connection, self._project_id)
            told = seen = 0
            for page in find_user_traces(connection, self._project_id, user_id):
                found |= page.trace_ids
                seen += page.batches
                if seen * _TOLD_STEPS // max(total, 1) > told:
                    told = seen * _TOLD_STEPS // max(total, 1)
                    tell(f"Looked through {seen:,} of {total:,} batches of spans.")
        return found

    def _erase_occurrences(self, trace_ids: set[str], user_id: str | None = None) -> Erased:
        erased = Erased()
        with open_existing(self._path) as connection:
            found = list(find_named_occurrences(connection, self._project_id, trace_ids, user_id))
        for ids in found:
            erased = erased.plus(self._write(erase_occurrences, self._project_id, ids))
        return erased

    def _write(
        self, query: Callable[Concatenate[Connection, P], Erased], *args: P.args, **kwargs: P.kwargs
    ) -> Erased:
        if self._is_rehearsal:
            return rehearse_once(self._path, query, *args, **kwargs)
        began = time.perf_counter()
        erased = write_once(self._path, query, *args, **kwargs)
        time.sleep((time.perf_counter() - began) * REST)  # others write, too
        return erased

    def _note(self, action: str, subject: str, erased: Erased) -> None:
        if not self._is_rehearsal:
            detail = ", ".join(f"{count} {kind}" for kind, count in erased._asdict().items())
            write_once(self._path, note, self._act, self._project_id, action, subject, detail)
