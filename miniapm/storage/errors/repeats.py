"""Telling an occurrence that came before: in a span event and in a log record, or sent again."""

from hashlib import blake2b

from miniapm.domain.errors.fingerprints import fold, short_class
from miniapm.domain.errors.values import Occurrence
from miniapm.storage.connection import Connection, scalar

REMEMBERED = 50_000


class Repeats:
    """The latest occurrences of a project that came with a span, for the time of one call."""

    def __init__(self, connection: Connection, project_id: int, remembered: int) -> None:
        self._connection = connection
        self._project_id = project_id
        self._remembered = remembered
        self._first: int | None = None
        self._last = 0

    def add(self, occurrence: Occurrence, group_id: int) -> int | None:
        """Remembers an occurrence of a group. None when it is new, else the group in which it was
        counted. Without a span each one is new."""
        if not (occurrence.trace_id and occurrence.span_id):
            return None
        digest = _digest(occurrence)
        if self._first is None:
            self._last = self._first = self._find_last()
        added = self._connection.execute(
            """/* error_recent.insert */ insert into error_recent
                (project_id, position, digest, group_id)
            values (:project_id, :position, :digest, :group_id)
            on conflict (project_id, digest) do nothing""",
            {
                "project_id": self._project_id,
                "position": self._last + 1,
                "digest": digest,
                "group_id": group_id,
            },
        ).rowcount
        self._last += added
        return None if added else self._find_group(digest)

    def _find_group(self, digest: int) -> int:
        found: int = scalar(
            self._connection,
            """/* error_recent.group */ select group_id from error_recent
            where project_id = :project_id and digest = :digest""",
            project_id=self._project_id,
            digest=digest,
        )
        return found

    def forget_old(self) -> None:
        """Deletes what is too far behind; to be called once, at the end."""
        if self._last != (self._first or 0):
            self._connection.execute(
                """/* error_recent.delete */ delete from error_recent
                where project_id = :project_id and position <= :position""",
                {"project_id": self._project_id, "position": self._last - self._remembered},
            )

    def _find_last(self) -> int:
        sql = """/* error_recent.last */ select max(position) from error_recent
            where project_id = :project_id"""
        return int(scalar(self._connection, sql, project_id=self._project_id) or 0)


def _digest(occurrence: Occurrence) -> int:
    # not by the fingerprint: a log record tells fewer frames than a span event of the same error,
    # and its class without the module
    parts = (
        occurrence.service,
        short_class(occurrence.exception_class),
        occurrence.culprit or fold(occurrence.message),
        occurrence.trace_id,
        occurrence.span_id,
    )
    digest = blake2b("\x00".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
