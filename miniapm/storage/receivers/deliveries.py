"""What came to receivers: stored once, however often it is sent.

The delivery and what it says are written in one transaction: one that was answered is known.
"""

import msgspec

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.receivers.values import Heard, Receiver
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.pushed import insert_head, store_push
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.receivers.nameless import name_by_telemetry
from miniapm.storage.receivers.receivers import update_last_used

KEPT_FOR = 30 * DAY
_MOST_DELETED = 2000

STORED, SKIPPED = 202, 200


class Delivery(msgspec.Struct, frozen=True):
    """A delivery, proved and understood, under the `id` that `name_delivery` gives it.
    `announcement` is what `heard` says of a deploy."""

    receiver: Receiver
    id: str
    heard: Heard
    announcement: Announcement | None
    received_at: int


class Receipt(msgspec.Struct, frozen=True):
    """What became of a delivery: the status of its answer, why nothing was stored, else "", and the
    deploy, if it is one."""

    status: int
    answer: str
    deploy_id: int | None = None


def receive(connection: Connection, delivery: Delivery, new_id: int, timeout: int) -> Receipt:
    """Stores what `delivery` says; for one that is known, the receipt of the first time. `timeout`
    in µs is `deploys.timeout`."""
    known = _find_receipt(connection, delivery)
    if known is not None:
        return known
    receipt = _store(connection, delivery, new_id, timeout)
    _insert_receipt(connection, delivery, receipt)
    update_last_used(connection, delivery.receiver, delivery.received_at)
    return receipt


def _store(connection: Connection, delivery: Delivery, new_id: int, timeout: int) -> Receipt:
    heard, project_id = delivery.heard, delivery.receiver.project_id
    if heard.push is not None:
        store_push(connection, project_id, heard.push, delivery.received_at)
        return Receipt(STORED, "")
    announcement = delivery.announcement
    if announcement is None:
        return Receipt(SKIPPED, heard.skipped)
    if heard.is_nameless:
        announcement = name_by_telemetry(connection, announcement)
    recorded = record_announcement(connection, announcement, new_id, timeout)
    if heard.head is not None:
        deploy = get_deploy(connection, project_id, recorded.deploy_id)
        insert_head(connection, deploy, heard.head)
    return Receipt(STORED, "", recorded.deploy_id)


def _find_receipt(connection: Connection, delivery: Delivery) -> Receipt | None:
    row = connection.execute(
        """/* receiver_deliveries.find */ select status, answer, deploy_id from receiver_deliveries
        where project_id = :project_id and receiver_id = :receiver_id and delivery = :delivery""",
        _key(delivery),
    ).fetchone()
    return None if row is None else Receipt(*row)


def _insert_receipt(connection: Connection, delivery: Delivery, receipt: Receipt) -> None:
    connection.execute(
        """/* receiver_deliveries.insert */ insert into receiver_deliveries
            (project_id, receiver_id, delivery, status, answer, deploy_id, received_at)
        values (:project_id, :receiver_id, :delivery, :status, :answer, :deploy_id, :at)""",
        {**_key(delivery), **msgspec.structs.asdict(receipt), "at": delivery.received_at},
    )


def _key(delivery: Delivery) -> dict[str, object]:
    return {
        "project_id": delivery.receiver.project_id,
        "receiver_id": delivery.receiver.id,
        "delivery": delivery.id,
    }


def delete_deliveries_before(connection: Connection, instant: int) -> int:
    """Forgets deliveries from before `instant`, a few thousand at most; how many."""
    return connection.execute(
        f"""/* receiver_deliveries.delete_before */ delete from receiver_deliveries
        where (project_id, receiver_id, delivery) in (
            select project_id, receiver_id, delivery from receiver_deliveries
            where received_at < :instant limit {_MOST_DELETED})""",
        {"instant": instant},
    ).rowcount
