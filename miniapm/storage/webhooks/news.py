"""What is new in a project and was not told yet, read from what is stored: the ways in know nothing
of webhooks."""

from collections.abc import Iterator

from miniapm.clock import MINUTE, to_rfc3339
from miniapm.domain.ids import first_id_at, made_at
from miniapm.domain.webhooks.news import ErrorNews, News, NewsData, cut
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.webhooks.happenings import (
    MOST_AT_ONCE,
    Happening,
    Place,
    describe_deploy,
    unseen_condition,
)
from miniapm.storage.webhooks.seen import LONGEST_NEWS
from miniapm.storage.webhooks.verdict_news import find_changes

# what another process wrote may be committed after what has a later time or id
_OVERLAP = 10 * MINUTE


def find_happenings(
    connection: Connection, place: Place, looked_at: int | None, now: int
) -> list[Happening]:
    """What came to pass since `looked_at` (None: as far back as news goes) and is not marked as
    seen, up to MOST_AT_ONCE of a kind. History that was brought in later is no news."""
    oldest = now - LONGEST_NEWS
    since = oldest if looked_at is None else max(oldest, looked_at - _OVERLAP)
    return [
        *_find_deploys(connection, place, since, oldest),
        *find_changes(connection, place, since, oldest),
        *_find_errors(connection, place, since, oldest),
    ]


def _find_deploys(
    connection: Connection, place: Place, since: int, oldest: int
) -> Iterator[Happening]:
    rows = connection.execute(
        f"""/* webhooks.find_deploys */ select {COLUMNS} from deploys
        where project_id = :project_id and updated_at >= :since and status <> 'started'
            and hidden_at is null and recorded_at >= :oldest and deployed_at >= :oldest
            and {unseen_condition("deploy", "deploys.id")}
        order by updated_at, id limit :most""",
        {"project_id": place.id, "since": since, "oldest": oldest, "most": MOST_AT_ONCE},
    )
    for deploy in to_deploys(connection, place.id, rows.fetchall()):
        # one that began before a webhook was made may end after it; a correction is no end
        ended_at = max(deploy.recorded_at, min(deploy.deployed_at, deploy.updated_at))
        news = News(
            event="deploy.recorded",
            subject_id=deploy.id,
            happened_at=ended_at,
            data=describe_deploy(connection, place, deploy),
        )
        yield Happening("deploy", deploy.id, (news,))


def _find_errors(
    connection: Connection, place: Place, since: int, oldest: int
) -> Iterator[Happening]:
    rows = connection.execute(
        f"""/* webhooks.find_errors */ select g.id, g.service, g.exception_class, g.message,
            g.culprit, g.first_seen_at, coalesce(r.env, '') as env,
            coalesce(r.version, '') as version
        from error_groups g left join releases r on r.project_id = g.project_id
            and r.id = g.first_release_id
        where g.project_id = :project_id and g.id >= :first_id and g.last_seen_at >= :oldest
            and {unseen_condition("error", "g.id")}
        order by g.id limit :most""",
        {
            "project_id": place.id,
            "first_id": first_id_at(since),
            "oldest": oldest,
            "most": MOST_AT_ONCE,
        },
    )
    for row in rows.fetchall():
        page = place.page(f"errors/{row['id']}")
        error = ErrorNews(
            id=str(row["id"]),
            service=row["service"],
            env=row["env"],
            version=row["version"],
            exception_class=cut(row["exception_class"]),
            message=cut(row["message"]),
            culprit=cut(row["culprit"]),
            first_seen_at=to_rfc3339(row["first_seen_at"]),
            page=page,
        )
        news = News(
            event="error.new",
            subject_id=row["id"],
            happened_at=made_at(row["id"]),
            data=NewsData(project=place.slug, page=page, error=error),
        )
        yield Happening("error", row["id"], (news,))
