"""Erasing what names a trace or a person, a short transaction at a time.

Figures stay: they name nobody. Freed pages are overwritten, so that nothing can be read from them.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from miniapm.domain.errors.persons import names_person
from miniapm.domain.otlp.persons import find_traces_of
from miniapm.domain.whole_words import WholeWord
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.errors.groups import get_group, update_group
from miniapm.storage.errors.occurrences import get_occurrence
from miniapm.storage.overwriting import overwrite_from_now_on
from miniapm.storage.refusals import KEPT_PER_PROJECT, UNKNOWN_PROJECT, Refusal, find_refusals
from miniapm.storage.spans.dictionaries import Bodies
from miniapm.storage.spans.traces import delete_trace

_BATCHES_A_PAGE = 20
_OCCURRENCES_A_PAGE = 500


class Erased(NamedTuple):
    """How much was erased of each kind: `requests` are entries, `messages` those of groups of
    errors in which a name was masked."""

    spans: int = 0
    requests: int = 0
    occurrences: int = 0
    refusals: int = 0
    messages: int = 0

    def plus(self, other: "Erased") -> "Erased":
        return Erased(*(a + b for a, b in zip(self, other, strict=True)))


class Page(NamedTuple):
    """The traces that were found in some batches, and how many batches those are."""

    batches: int
    trace_ids: set[str]


def count_batches(connection: Connection, project_id: int) -> int:
    sql = "/* span_batches.count */ select count(*) from span_batches where project_id = :id"
    return int(scalar(connection, sql, id=project_id))


def find_user_traces(connection: Connection, project_id: int, user_id: str) -> Iterator[Page]:
    """The traces (hex ids) whose spans name a person, batch by batch, oldest first."""
    after = -1
    bodies = Bodies(connection, project_id)
    while True:
        rows = connection.execute(
            """/* span_batches.find_page */ select id, format, defaults, body from span_batches
            where id > :after and project_id = :project_id order by id limit :size""",
            {"after": after, "project_id": project_id, "size": _BATCHES_A_PAGE},
        ).fetchall()
        if not rows:
            return
        after = rows[-1]["id"]
        found: set[str] = set()
        for row in rows:
            found |= find_traces_of(bodies.stored(row), user_id)
        yield Page(len(rows), found)


def erase_trace(connection: Connection, project_id: int, trace_id: str) -> Erased:
    """Takes a trace (hex id) out of all stored bodies, and deletes its entries."""
    overwrite_from_now_on(connection)
    deleted = delete_trace(connection, project_id, bytes.fromhex(trace_id))
    return Erased(deleted.spans, deleted.entries)


def find_named_occurrences(
    connection: Connection, project_id: int, trace_ids: Collection[str], user_id: str | None = None
) -> Iterator[list[int]]:
    """The ids of occurrences that name a person or one of the traces (hex ids), some at a time."""
    after = -1
    while True:
        rows = connection.execute(
            """/* error_occurrences.find_page */ select id, group_id from error_occurrences
            where id > :after and project_id = :project_id order by id limit :size""",
            {"after": after, "project_id": project_id, "size": _OCCURRENCES_A_PAGE},
        ).fetchall()
        if not rows:
            return
        after = rows[-1]["id"]
        found = []
        for row in rows:
            kept = get_occurrence(connection, project_id, row["group_id"], row["id"]).occurrence
            if kept.trace_id in trace_ids or (user_id is not None and names_person(kept, user_id)):
                found.append(row["id"])
        if found:
            yield found


def erase_occurrences(connection: Connection, project_id: int, ids: Collection[int]) -> Erased:
    overwrite_from_now_on(connection)
    deleted = connection.executemany(
        """/* error_occurrences.erase */ delete from error_occurrences
        where id = :id and project_id = :project_id""",
        [(one, project_id) for one in ids],
    )
    return Erased(occurrences=deleted.rowcount)


def find_naming_groups(connection: Connection, project_id: int, word: WholeWord) -> list[int]:
    """The ids of the groups of errors whose message has a name in it."""
    rows = connection.execute(
        """/* error_groups.find_messages */ select id, message from error_groups
        where project_id = :project_id""",
        {"project_id": project_id},
    )
    return [row["id"] for row in rows if word.is_in(row["message"])]


def mask_message(connection: Connection, project_id: int, group_id: int, word: WholeWord) -> Erased:
    """Takes a name out of the message of a group. Its fingerprint stays: what comes next is still
    the same error."""
    group = get_group(connection, project_id, group_id)
    masked = word.mask(group.message)
    if masked == group.message:
        return Erased()
    overwrite_from_now_on(connection)
    update_group(connection, msgspec.structs.replace(group, message=masked))
    return Erased(messages=1)


def erase_refusals(connection: Connection, project_id: int, word: WholeWord) -> Erased:
    """Deletes the refused calls of the project that have a name in them, and those of nobody known:
    whose they are, nobody can tell."""
    overwrite_from_now_on(connection)
    found = [
        {"id": refusal.id, "project_id": owner}
        for owner in (project_id, UNKNOWN_PROJECT)
        for refusal in find_refusals(connection, owner, KEPT_PER_PROJECT)
        if _names(refusal, word)
    ]
    connection.executemany(
        """/* refusals.erase */ delete from refusals
        where id = :id and project_id = :project_id""",
        found,
    )
    return Erased(refusals=len(found))


def _names(refusal: Refusal, word: WholeWord) -> bool:
    told = (refusal.body.decode(errors="replace"), refusal.message, *refusal.fields.values())
    return any(map(word.is_in_body, told))
