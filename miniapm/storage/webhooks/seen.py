"""Which happenings were told already, so that each is told once, whatever else goes wrong."""

from miniapm.clock import DAY
from miniapm.storage.connection import Connection

LONGEST_NEWS = DAY
"""What lies further back is no news."""
_KEPT = 2 * LONGEST_NEWS


def mark_seen(
    connection: Connection, project_id: int, kind: str, subject_id: int, now: int
) -> bool:
    """Whether this is the first time."""
    done = connection.execute(
        """/* webhook_seen.insert */ insert into webhook_seen
            (project_id, kind, subject_id, seen_at)
        values (:project_id, :kind, :subject_id, :now)
        on conflict (project_id, kind, subject_id) do nothing""",
        {"project_id": project_id, "kind": kind, "subject_id": subject_id, "now": now},
    )
    return done.rowcount == 1


def forget_seen(connection: Connection, now: int) -> None:
    """Forgets what cannot be found as news any more."""
    connection.execute(
        "/* webhook_seen.forget */ delete from webhook_seen where seen_at < :before",
        {"before": now - _KEPT},
    )
