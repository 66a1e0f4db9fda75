"""Erasing a trace or a person beside a running server: many reads, and short writes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Literal, NamedTuple, ParamSpec

from miniapm.cli.output import tell
from miniapm.domain.counts import tell_count
from miniapm.domain.whole_words import WholeWord
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.erasure import (
    Erased,
    count_batches,
    erase_occurrences,
    erase_refusals,
    erase_trace,
    find_named_occurrences,
    find_naming_groups,
    find_user_traces,
    mask_message,
)
from miniapm.storage.once import open_existing, read_once, rehearse_once, write_once
from miniapm.storage.retention.sweep import REST

P = ParamSpec("P")
_TOLD_STEPS = 10
_FEW_TRACES = 50


class Named(NamedTuple):
    """What is to be erased: a trace by its hex id, or a person."""

    kind: Literal["trace", "user"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def tell_erased(erased: Erased) -> str:
    """`3 spans, 1 request`: what there is of each kind, "nothing" where there is none."""
    counts = erased._asdict().items()
    return ", ".join(tell_count(count, kind[:-1]) for kind, count in counts if count) or "nothing"


class Eraser:
    """Erases in one project. A rehearsal only counts."""

    def __init__(self, path: Path, project_id: int, act: Act, *, is_rehearsal: bool) -> None:
        self._path = path
        self._project_id = project_id
        self._act = act
        self._is_rehearsal = is_rehearsal

    def erase(self, named: Named) -> Erased:
        if named.kind == "trace":
            return self._erase_trace(named.id)
        return self._erase_user(named.id)

    def _erase_trace(self, trace_id: str) -> Erased:
        """A trace, and the errors that name it."""
        erased = self._write(erase_trace, self._project_id, trace_id)
        erased = erased.plus(self._erase_occurrences({trace_id}))
        self._note("trace.erase", f"trace {trace_id}", erased)
        return erased

    def _erase_user(self, user_id: str) -> Erased:
        """The errors of a person, the traces and refused calls that name that person, and the id in
        the messages of other errors."""
        word = WholeWord(user_id)
        erased = Erased()
        trace_ids = self._find_traces(user_id)
        tell_progress = _tell_tenths("Erased {done:,} of {total:,} traces.", len(trace_ids))
        for done, trace_id in enumerate(sorted(trace_ids), 1):
            erased = erased.plus(self._write(erase_trace, self._project_id, trace_id))
            # a few are erased before anybody wonders
            if len(trace_ids) > _FEW_TRACES and not self._is_rehearsal:
                tell_progress(done)
        erased = erased.plus(self._erase_occurrences(trace_ids, user_id))
        erased = erased.plus(self._write(erase_refusals, self._project_id, word))
        erased = erased.plus(self._mask_messages(word))
        # who it was is what shall be forgotten
        self._note("user.erase", "a person", erased)
        return erased

    def _find_traces(self, user_id: str) -> set[str]:
        found: set[str] = set()
        with open_existing(self._path) as connection:
            total = count_batches(connection, self._project_id)
            tell_progress = _tell_tenths(
                "Looked through {done:,} of {total:,} batches of spans.", total
            )
            seen = 0
            for page in find_user_traces(connection, self._project_id, user_id):
                found |= page.trace_ids
                seen += page.batches
                tell_progress(seen)
        return found

    def _erase_occurrences(self, trace_ids: set[str], user_id: str | None = None) -> Erased:
        erased = Erased()
        with open_existing(self._path) as connection:
            found = list(find_named_occurrences(connection, self._project_id, trace_ids, user_id))
        for ids in found:
            erased = erased.plus(self._write(erase_occurrences, self._project_id, ids))
        return erased

    def _mask_messages(self, word: WholeWord) -> Erased:
        erased = Erased()
        for group_id in read_once(self._path, find_naming_groups, self._project_id, word):
            erased = erased.plus(self._write(mask_message, self._project_id, group_id, word))
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
            detail = tell_erased(erased)
            write_once(self._path, note, self._act, self._project_id, action, subject, detail)


def _tell_tenths(words: str, total: int) -> Callable[[int], None]:
    """What says `words` on stderr, with `done` and `total`, after each tenth."""
    told = 0

    def tell_at(done: int) -> None:
        nonlocal told
        if done * _TOLD_STEPS // max(total, 1) > told:
            told = done * _TOLD_STEPS // max(total, 1)
            tell(words.format(done=done, total=total))

    return tell_at
