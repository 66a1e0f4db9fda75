"""The SQL of webhooks."""

from collections.abc import Sequence

from miniapm.domain.webhooks.signatures import make_signing_secret
from miniapm.domain.webhooks.targets import check_target
from miniapm.domain.webhooks.values import Webhook, check_events, check_format
from miniapm.exceptions import Conflict, NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.projects import Project

MOST_PER_PROJECT = 20
_SELECT = """select w.id, w.project_id, p.slug, w.url, w.format, w.events, w.secret, w.created_at,
    w.disabled_at, w.old_secret, w.old_secret_until
    from webhooks w join projects p on p.id = w.project_id"""


def _to_webhook(row: Row) -> Webhook:
    return Webhook(
        id=row["id"],
        project_id=row["project_id"],
        project_slug=row["slug"],
        url=row["url"],
        format=row["format"],
        events=tuple(row["events"].split()),
        secret=row["secret"],
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        old_secret=row["old_secret"],
        old_secret_until=row["old_secret_until"],
    )


def create_webhook(
    connection: Connection,
    act: Act,
    project: Project,
    url: str,
    events: Sequence[str] = (),
    form: str | None = None,
    *,
    allow_private: bool,
) -> Webhook:
    """A new webhook with a new secret. Invalid names what is wrong with it; Conflict when the
    project has as many as it may."""
    target = check_target(url.strip(), allow_private=allow_private)
    webhook = Webhook(
        id=act.make_id(),
        project_id=project.id,
        project_slug=project.slug,
        url=target.url,
        format=check_format(form, target),
        events=check_events(events),
        secret=make_signing_secret(),
        created_at=act.at,
    )
    count = scalar(
        connection,
        """/* webhooks.count */ select count(*) from webhooks where project_id = :project_id""",
        project_id=project.id,
    )
    if count >= MOST_PER_PROJECT:
        raise Conflict(f"{project.slug} has {count} webhooks, and that is the most: delete one.")
    connection.execute(
        """/* webhooks.insert */ insert into webhooks
            (id, project_id, url, format, events, secret, created_at)
        values (:id, :project_id, :url, :format, :events, :secret, :created_at)""",
        {
            "id": webhook.id,
            "project_id": webhook.project_id,
            "url": webhook.url,
            "format": webhook.format,
            "events": " ".join(webhook.events),
            "secret": webhook.secret,
            "created_at": webhook.created_at,
        },
    )
    note(connection, act, project.id, "webhook.create", target.shown, " ".join(webhook.events))
    return webhook


def find_webhooks(connection: Connection, project_id: int | None = None) -> list[Webhook]:
    """The webhooks of a project, or all; oldest first."""
    rows = connection.execute(
        f"""/* webhooks.find */ {_SELECT}
        where w.project_id = :project_id or :project_id is null order by w.id""",
        {"project_id": project_id},
    )
    return [_to_webhook(row) for row in rows]


def get_webhook(connection: Connection, webhook_id: int, project_id: int | None = None) -> Webhook:
    """One webhook; NotFound also when it is another project's."""
    row = connection.execute(
        f"""/* webhooks.get */ {_SELECT}
        where w.id = :id and (w.project_id = :project_id or :project_id is null)""",
        {"id": webhook_id, "project_id": project_id},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return _to_webhook(row)


def rotate_secret(
    connection: Connection, act: Act, webhook_id: int, overlap: int, project_id: int | None = None
) -> Webhook:
    """The webhook with a new secret. The old one signs beside it for `overlap` (µs), so that the
    receiver can be changed meanwhile; one from before that is forgotten."""
    webhook = get_webhook(connection, webhook_id, project_id)
    connection.execute(
        """/* webhooks.rotate */ update webhooks set secret = :secret, old_secret = :old_secret,
            old_secret_until = :until
        where project_id = :project_id and id = :id""",
        {
            "project_id": webhook.project_id,
            "id": webhook.id,
            "secret": make_signing_secret(),
            "old_secret": webhook.secret if overlap else None,
            "until": act.at + overlap if overlap else None,
        },
    )
    note(connection, act, webhook.project_id, "webhook.rotate", webhook.target.shown)
    return get_webhook(connection, webhook_id, project_id)


def forget_old_secrets(connection: Connection, now: int) -> None:
    """Old secrets that sign no more need not lie about."""
    connection.execute(
        """/* webhooks.forget_old_secrets */ update webhooks
        set old_secret = null, old_secret_until = null where old_secret_until <= :now""",
        {"now": now},
    )


def delete_webhook(
    connection: Connection, act: Act, webhook_id: int, project_id: int | None = None
) -> Webhook:
    """Removes a webhook, what waits for it, and its log."""
    webhook = get_webhook(connection, webhook_id, project_id)
    connection.execute(
        """/* webhooks.delete */ delete from webhooks
        where project_id = :project_id and id = :id""",
        {"project_id": webhook.project_id, "id": webhook.id},
    )
    note(connection, act, webhook.project_id, "webhook.delete", webhook.target.shown)
    return webhook


def disable_webhook(connection: Connection, webhook: Webhook, at: int, problem: str) -> None:
    """Nothing is sent there any more; what waits for it has failed by `problem`."""
    values = {"project_id": webhook.project_id, "id": webhook.id, "at": at, "problem": problem}
    connection.execute(
        """/* webhooks.disable */ update webhooks set disabled_at = :at
        where project_id = :project_id and id = :id and disabled_at is null""",
        values,
    )
    connection.execute(
        """/* webhook_deliveries.give_up */ update webhook_deliveries
        set state = 'failed', next_attempt_at = null, problem = :problem
        where project_id = :project_id and webhook_id = :id and state = 'waiting'""",
        values,
    )
