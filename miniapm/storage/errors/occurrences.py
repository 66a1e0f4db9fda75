"""Occurrences that are kept whole: the first few of a group and the latest ones."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.ids import IdMaker
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEPT_FIRST = 5
KEPT_LATEST = 25
KEPT_PER_MINUTE = 10
_LEVEL = 3


class Kept(NamedTuple):
    """An occurrence as it is kept."""

    id: int
    occurrence: Occurrence


def insert_occurrences(
    connection: Connection,
    project_id: int,
    group_id: int,
    occurrences: Sequence[Occurrence],
    make_id: IdMaker,
) -> None:
    """Keeps `occurrences`; of those that were kept before, some may go."""
    connection.executemany(
        """/* error_occurrences.insert */ insert into error_occurrences
            (id, project_id, group_id, happened_at, body)
        values (:id, :project_id, :group_id, :happened_at, :body)""",
        [
            {
                "id": make_id(),
                "project_id": project_id,
                "group_id": group_id,
                "happened_at": occurrence.happened_at,
                "body": zstd.compress(msgspec.msgpack.encode(occurrence), _LEVEL),
            }
            for occurrence in occurrences
        ],
    )
    ids = find_occurrence_ids(connection, project_id, group_id)
    connection.executemany(
        """/* error_occurrences.delete_middle */ delete from error_occurrences
        where project_id = :project_id and id = :id""",
        [{"project_id": project_id, "id": gone} for gone in ids[KEPT_FIRST:-KEPT_LATEST]],
    )


def find_occurrence_ids(connection: Connection, project_id: int, group_id: int) -> list[int]:
    """The ids of what is kept of a group, in the order of arrival."""
    rows = connection.execute(
        """/* error_occurrences.find_ids */ select id from error_occurrences
        where project_id = :project_id and group_id = :group_id order by id""",
        {"project_id": project_id, "group_id": group_id},
    )
    return [row[0] for row in rows]


def get_occurrence(
    connection: Connection, project_id: int, group_id: int, occurrence_id: int
) -> Kept:
    """One occurrence of a group; NotFound when it is not kept, or no longer."""
    row = connection.execute(
        """/* error_occurrences.get */ select id, body from error_occurrences
        where project_id = :project_id and group_id = :group_id and id = :id""",
        {"project_id": project_id, "group_id": group_id, "id": occurrence_id},
    ).fetchone()
    if row is None:
        raise NotFound("This occurrence is no longer kept; the error's page has others.")
    return Kept(row["id"], msgspec.msgpack.decode(zstd.decompress(row["body"]), type=Occurrence))


def delete_occurrences_before(connection: Connection, instant: int, limit: int) -> int:
    """Deletes at most `limit` occurrences that happened before `instant` (µs); gives how many that
    were. Groups and counts stay."""
    return connection.execute(
        """/* error_occurrences.delete */ delete from error_occurrences where id in (
            select id from error_occurrences where happened_at < :instant
            order by happened_at limit :limit)""",
        {"instant": instant, "limit": limit},
    ).rowcount
