"""What came to each receiver last: what became of it, or why it was refused."""

from collections.abc import Sequence

import msgspec

from miniapm.domain.receivers.values import Receiver
from miniapm.storage.connection import Connection


class Latest(msgspec.Struct, frozen=True):
    """A delivery at `at` (µs), the status of its answer and what it led to: `deploy_id` where it
    was a deploy, else `words`, which are "" for commits that were stored."""

    at: int
    status: int
    words: str
    deploy_id: int | None = None

    @property
    def outcome(self) -> str:
        """In words."""
        if self.deploy_id is not None:
            return "a deploy"
        return self.words or "commits"


def find_latest(connection: Connection, receivers: Sequence[Receiver]) -> dict[int, Latest]:
    """By receiver; those that nothing came to have none."""
    found = {}
    for receiver in receivers:
        both = (_find_answered(connection, receiver), _find_refused(connection, receiver))
        latest = max(filter(None, both), key=lambda one: one.at, default=None)
        if latest is not None:
            found[receiver.id] = latest
    return found


def _find_answered(connection: Connection, receiver: Receiver) -> Latest | None:
    row = connection.execute(
        """/* receiver_deliveries.find_latest */ select received_at, status, answer, deploy_id
        from receiver_deliveries
        where project_id = :project_id and receiver_id = :receiver_id
        order by received_at desc limit 1""",
        {"project_id": receiver.project_id, "receiver_id": receiver.id},
    ).fetchone()
    return None if row is None else Latest(*row)


def _find_refused(connection: Connection, receiver: Receiver) -> Latest | None:
    row = connection.execute(
        """/* refusals.find_latest */ select refused_at, status, message from refusals
        where project_id = :project_id and route = :route order by id desc limit 1""",
        {"project_id": receiver.project_id, "route": receiver.shown_path},
    ).fetchone()
    return None if row is None else Latest(row[0], row[1], f"refused with {row[1]}: {row[2]}")
