"""From what happened to messages that wait: each webhook gets what it listens to, up to its hourly
cap; what is above is counted, and summed up once an hour."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from miniapm.clock import HOUR, to_rfc3339
from miniapm.domain.ids import IdMaker
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.webhooks.news import HeldNews, News, NewsData
from miniapm.domain.webhooks.values import HELD_EVENT, TEST_EVENT, Delivery, Webhook
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.webhooks.deliveries import find_delivery, insert_delivery
from miniapm.storage.webhooks.happenings import Happening, Place
from miniapm.storage.webhooks.seen import forget_seen, mark_seen
from miniapm.storage.webhooks.webhooks import find_webhooks, forget_old_secrets

log = logging.getLogger(__name__)

# deploys and verdicts have room left, however many new errors there are
_ERRORS = "error.new"
_SHARE_OF_ERRORS = 0.5


class Queueing(NamedTuple):
    """What it takes to write messages: `per_hour` is the cap of each webhook."""

    make_id: IdMaker
    scrubber: Scrubber
    per_hour: int
    now: int


def find_listening(connection: Connection) -> list[Webhook]:
    """The webhooks that anything is sent to."""
    return [webhook for webhook in find_webhooks(connection) if webhook.disabled_at is None]


def queue_happenings(
    connection: Connection, by: Queueing, place: Place, happenings: Sequence[Happening]
) -> None:
    """Writes a message for each webhook that listens, and marks all as seen."""
    listening = [w for w in find_webhooks(connection, place.id) if w.disabled_at is None]
    unseen = [
        happening.news
        for happening in happenings
        if mark_seen(connection, place.id, happening.kind, happening.subject_id, by.now)
    ]
    told = sorted(filter(None, (_scrub(by.scrubber, news) for news in unseen)), key=_order)
    for webhook in listening:
        _queue(connection, by, webhook, (one for news in told for one in _choose(webhook, news)))
    forget_seen(connection, by.now)
    forget_old_secrets(connection, by.now)


def _scrub(scrubber: Scrubber, news: Sequence[News]) -> list[News]:
    """Without secrets; nothing where that fails, for the others are to be told all the same."""
    try:
        return [one.scrub(scrubber) for one in news]
    except Exception as error:
        log.error("%s %d cannot be told", news[0].event, news[0].subject_id, exc_info=error)
        return []


def _order(news: Sequence[News]) -> tuple[int, int]:
    return news[0].happened_at, news[0].subject_id


def _choose(webhook: Webhook, news: Sequence[News]) -> list[News]:
    """What a webhook is told of one happening. In a chat one message says it all: the first."""
    wanted = [
        one for one in news if one.event in webhook.events and one.happened_at >= webhook.created_at
    ]
    return wanted[:1] if webhook.format == "slack" else wanted


def _queue(connection: Connection, by: Queueing, webhook: Webhook, news: Iterable[News]) -> None:
    room = by.per_hour - _count_sent(connection, webhook, by.now)
    room_for_errors = min(
        room,
        max(1, int(by.per_hour * _SHARE_OF_ERRORS))
        - _count_sent(connection, webhook, by.now, _ERRORS),
    )
    for one in news:
        if room <= 0 or (one.event == _ERRORS and room_for_errors <= 0):
            _hold(connection, webhook, one.event, by.now)
            continue
        room -= 1
        room_for_errors -= one.event == _ERRORS
        body = one.encode(webhook.format)
        insert_delivery(connection, webhook, by.make_id(), one.event, one.subject_id, body, by.now)


def _count_sent(
    connection: Connection, webhook: Webhook, now: int, event: str | None = None
) -> int:
    """Messages of the last hour; those about messages do not count."""
    return int(
        scalar(
            connection,
            """/* webhook_deliveries.count */ select count(*) from webhook_deliveries
            where project_id = :project_id and webhook_id = :webhook_id and created_at > :since
                and (event = :event or :event is null) and event not in (:test, :held)""",
            project_id=webhook.project_id,
            webhook_id=webhook.id,
            since=now - HOUR,
            event=event,
            test=TEST_EVENT,
            held=HELD_EVENT,
        )
    )


def _hold(connection: Connection, webhook: Webhook, event: str, now: int) -> None:
    connection.execute(
        """/* webhook_held.add */ insert into webhook_held
            (project_id, webhook_id, event, count, since_at)
        values (:project_id, :webhook_id, :event, 1, :now)
        on conflict (project_id, webhook_id, event) do update set count = webhook_held.count + 1""",
        {
            "project_id": webhook.project_id,
            "webhook_id": webhook.id,
            "event": event,
            "now": now,
        },
    )


def find_overdue(connection: Connection, now: int) -> list[int]:
    """The webhooks that have held something back for an hour."""
    rows = connection.execute(
        """/* webhook_held.find */ select webhook_id from webhook_held
        group by webhook_id having min(since_at) <= :before order by webhook_id""",
        {"before": now - HOUR},
    )
    return [row[0] for row in rows]


def queue_sums(
    connection: Connection, by: Queueing, places: Sequence[Place], overdue: Sequence[int]
) -> None:
    """Writes to each overdue webhook what it was not told."""
    place_of = {place.id: place for place in places}
    for webhook in find_listening(connection):
        if webhook.id in overdue and webhook.project_id in place_of:
            _sum_up(connection, by, webhook, place_of[webhook.project_id])


def _sum_up(connection: Connection, by: Queueing, webhook: Webhook, place: Place) -> None:
    rows = connection.execute(
        """/* webhook_held.take */ delete from webhook_held
        where project_id = :project_id and webhook_id = :webhook_id
        returning event, count, since_at""",
        {"project_id": webhook.project_id, "webhook_id": webhook.id},
    ).fetchall()
    if not rows:
        return
    since = min(row["since_at"] for row in rows)
    page = place.page("")
    held = HeldNews(
        since=to_rfc3339(since),
        counts={row["event"]: row["count"] for row in sorted(rows, key=lambda r: r["event"])},
        page=page,
    )
    news = News(
        event=HELD_EVENT,
        subject_id=since,
        happened_at=by.now,
        data=NewsData(project=place.slug, page=page, held=held),
    )
    body = news.encode(webhook.format)
    insert_delivery(connection, webhook, by.make_id(), HELD_EVENT, since, body, by.now)


def queue_test(connection: Connection, by: Queueing, place: Place, webhook: Webhook) -> int:
    """Writes a message that says no more than that messages arrive; its id."""
    return insert_test(connection, by, place, webhook, is_due=True).id


def insert_test(
    connection: Connection, by: Queueing, place: Place, webhook: Webhook, *, is_due: bool = False
) -> Delivery:
    """As `queue_test`, but left to the caller to send."""
    data = NewsData(project=place.slug, page=place.page(""))
    news = News(event=TEST_EVENT, subject_id=0, happened_at=by.now, data=data)
    delivery_id = by.make_id()
    insert_delivery(
        connection,
        webhook,
        delivery_id,
        TEST_EVENT,
        delivery_id,
        news.encode(webhook.format),
        by.now,
        is_due=is_due,
    )
    found = find_delivery(connection, webhook.project_id, delivery_id)
    assert found is not None
    return found
