"""The SQL of what is sent to webhooks: kept until it arrives, and a while longer as a log."""

from typing import NamedTuple

from miniapm.domain.webhooks.attempts import Answered, Outcome, Verdict
from miniapm.domain.webhooks.values import Delivery, Webhook
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.webhooks.webhooks import disable_webhook, get_webhook

KEPT_PER_WEBHOOK = 200
_COLUMNS = """id, project_id, webhook_id, event, state, created_at, attempts, next_attempt_at,
    tried_at, status, problem, took_us, body"""


class Tried(NamedTuple):
    """One try: its outcome, what follows from it, when it ended (µs) and how long it took (µs)."""

    outcome: Outcome
    verdict: Verdict
    at: int
    took: int


def _to_delivery(row: Row) -> Delivery:
    return Delivery(**dict(zip(Delivery.__struct_fields__, tuple(row), strict=True)))


def insert_delivery(
    connection: Connection,
    webhook: Webhook,
    delivery_id: int,
    event: str,
    subject_id: int,
    body: str,
    now: int,
    *,
    is_due: bool = True,
) -> None:
    """A message to be sent now; not by the job unless `is_due`. One that the webhook has already is
    left as it is."""
    connection.execute(
        """/* webhook_deliveries.insert */ insert into webhook_deliveries
            (id, project_id, webhook_id, event, subject_id, body, state, created_at, attempts,
            next_attempt_at, problem)
        values (:id, :project_id, :webhook_id, :event, :subject_id, :body, 'waiting', :now, 0,
            :due_at, '')
        on conflict (webhook_id, event, subject_id) do nothing""",
        {
            "id": delivery_id,
            "project_id": webhook.project_id,
            "webhook_id": webhook.id,
            "event": event,
            "subject_id": subject_id,
            "body": body,
            "now": now,
            "due_at": now if is_due else None,
        },
    )
    _forget_old(connection, webhook)


def _forget_old(connection: Connection, webhook: Webhook) -> None:
    values = {"project_id": webhook.project_id, "webhook_id": webhook.id}
    oldest = scalar(
        connection,
        """/* webhook_deliveries.find_oldest */ select id from webhook_deliveries
        where project_id = :project_id and webhook_id = :webhook_id
        order by id desc limit 1 offset :kept""",
        **values,
        kept=KEPT_PER_WEBHOOK - 1,
    )
    if oldest is not None:
        connection.execute(
            """/* webhook_deliveries.forget */ delete from webhook_deliveries
            where project_id = :project_id and webhook_id = :webhook_id and id < :oldest
                and next_attempt_at is null""",
            {**values, "oldest": oldest},
        )


def find_due(connection: Connection, now: int, most: int) -> list[tuple[Webhook, list[Delivery]]]:
    """What is to be sent now, the oldest first: up to `most` for each webhook."""
    rows = connection.execute(
        f"""/* webhook_deliveries.find_due */ select {_COLUMNS} from (
            select {_COLUMNS}, row_number() over (partition by webhook_id order by id) as place
            from webhook_deliveries where next_attempt_at <= :now) as due
        where place <= :most order by id""",
        {"now": now, "most": most},
    )
    by_webhook: dict[int, list[Delivery]] = {}
    for row in rows:
        delivery = _to_delivery(row)
        by_webhook.setdefault(delivery.webhook_id, []).append(delivery)
    return [(get_webhook(connection, one), due) for one, due in by_webhook.items()]


def find_log(connection: Connection, webhook: Webhook, limit: int) -> list[Delivery]:
    """What was sent to a webhook or waits for it, newest first."""
    rows = connection.execute(
        f"""/* webhook_deliveries.find_log */ select {_COLUMNS} from webhook_deliveries
        where project_id = :project_id and webhook_id = :webhook_id
        order by id desc limit :limit""",
        {"project_id": webhook.project_id, "webhook_id": webhook.id, "limit": limit},
    )
    return [_to_delivery(row) for row in rows]


def find_last_tried(log: list[Delivery]) -> Delivery | None:
    """The message that was tried last, if any was."""
    tried = [delivery for delivery in log if delivery.tried_at is not None]
    return max(tried, key=lambda delivery: (delivery.tried_at or 0, delivery.id), default=None)


def find_delivery(connection: Connection, project_id: int, delivery_id: int) -> Delivery | None:
    row = connection.execute(
        f"""/* webhook_deliveries.get */ select {_COLUMNS} from webhook_deliveries
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": delivery_id},
    ).fetchone()
    return None if row is None else _to_delivery(row)


def note_try(connection: Connection, webhook: Webhook, delivery_id: int, tried: Tried) -> None:
    """Writes down how a try went, and does what follows from it."""
    verdict = tried.verdict
    values = {
        "project_id": webhook.project_id,
        "webhook_id": webhook.id,
        "id": delivery_id,
        "state": verdict.state,
        "next_attempt_at": verdict.next_attempt_at,
        "tried_at": tried.at,
        "status": tried.outcome.status if isinstance(tried.outcome, Answered) else None,
        "problem": verdict.problem,
        "took_us": tried.took,
    }
    connection.execute(
        """/* webhook_deliveries.note_try */ update webhook_deliveries
        set state = :state, next_attempt_at = :next_attempt_at, tried_at = :tried_at,
            status = :status, problem = :problem, took_us = :took_us, attempts = attempts + 1
        where project_id = :project_id and id = :id""",
        values,
    )
    if verdict.holds:
        connection.execute(
            """/* webhook_deliveries.hold */ update webhook_deliveries
            set next_attempt_at = :next_attempt_at
            where project_id = :project_id and webhook_id = :webhook_id and state = 'waiting'
                and next_attempt_at < :next_attempt_at""",
            values,
        )
    if verdict.disables:
        disable_webhook(connection, webhook, tried.at, "the webhook is off")
