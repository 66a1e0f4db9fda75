"""What is new in a project and was not told yet, read from what is stored: the ways in know nothing
of webhooks."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from miniapm.clock import MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import first_id_at, made_at
from miniapm.domain.impact.values import State, Verdict
from miniapm.domain.webhooks.news import (
    ErrorNews,
    ImpactNews,
    News,
    NewsData,
    cut,
    name_verdict_events,
    tell_deploy,
)
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.deploys.titles import find_titles
from miniapm.storage.impact.reviews import find_review
from miniapm.storage.impact.verdicts import find_impact
from miniapm.storage.webhooks.seen import LONGEST_NEWS

MOST_AT_ONCE = 200
# what another process wrote may be committed after what has a later time or id
_OVERLAP = 10 * MINUTE
# a verdict follows what it rests on within seconds, or a few minutes where much is to be judged
_SOON_AFTER_EDIT = 5 * MINUTE
_RESTS_ON = frozenset(
    {"deployed_at", "env", "git_sha", "hidden_at", "service", "started_at", "status", "version"}
)


class Place(NamedTuple):
    """A project, and under which address people find the server."""

    id: int
    slug: str
    address: str

    def page(self, path: str) -> str:
        return f"{self.address}/p/{self.slug}/{path}"


class Happening(NamedTuple):
    """A row that something may have to be told of, once."""

    kind: str
    subject_id: int
    news: tuple[News, ...]


def find_happenings(
    connection: Connection, place: Place, looked_at: int | None, now: int
) -> list[Happening]:
    """What came to pass since `looked_at` (None: as far back as news goes) and is not marked as
    seen, up to MOST_AT_ONCE of a kind. History that was brought in later is no news."""
    oldest = now - LONGEST_NEWS
    since = oldest if looked_at is None else max(oldest, looked_at - _OVERLAP)
    return [
        *_find_deploys(connection, place, since, oldest),
        *_find_changes(connection, place, since, oldest),
        *_find_errors(connection, place, since, oldest),
    ]


def _unseen(kind: str, subject: str) -> str:
    return f"""not exists (select 1 from webhook_seen s where s.project_id = :project_id
        and s.kind = '{kind}' and s.subject_id = {subject})"""


def _find_deploys(
    connection: Connection, place: Place, since: int, oldest: int
) -> Iterator[Happening]:
    rows = connection.execute(
        f"""/* webhooks.find_deploys */ select {COLUMNS} from deploys
        where project_id = :project_id and updated_at >= :since and status <> 'started'
            and hidden_at is null and recorded_at >= :oldest and deployed_at >= :oldest
            and {_unseen("deploy", "deploys.id")}
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
            data=_describe(connection, place, deploy),
        )
        yield Happening("deploy", deploy.id, (news,))


def _describe(
    connection: Connection, place: Place, deploy: Deploy, impact: ImpactNews | None = None
) -> NewsData:
    page = place.page(f"deploys/{deploy.id}")
    title = find_titles(connection, [deploy]).get(deploy.id)
    told = tell_deploy(deploy, title, page)
    return NewsData(project=place.slug, page=page, deploy=told, impact=impact)


def _find_changes(
    connection: Connection, place: Place, since: int, oldest: int
) -> Iterator[Happening]:
    rows = connection.execute(
        f"""/* webhooks.find_changes */ select c.id, c.deploy_id, c.state, c.verdict, c.sentence,
            c.changed_at
        from impact_changes c join deploys d on d.id = c.deploy_id and d.project_id = c.project_id
        where c.project_id = :project_id and c.changed_at >= :since and d.hidden_at is null
            and d.deployed_at >= :oldest and {_unseen("change", "c.id")}
        order by c.changed_at, c.id limit :most""",
        {"project_id": place.id, "since": since, "oldest": oldest, "most": MOST_AT_ONCE},
    )
    for row in rows.fetchall():
        yield Happening("change", row["id"], tuple(_tell_change(connection, place, row)))


def _tell_change(connection: Connection, place: Place, row: Row) -> Iterator[News]:
    now = (row["state"], row["verdict"])
    before = _find_before(connection, place.id, row)
    previous = None
    if now == ("final", "improved"):
        previous = _find_previous_verdict(connection, place.id, row["deploy_id"])
    is_edit = before is not None and _is_edit(connection, place.id, row)
    events = name_verdict_events(now, before, previous, is_edit=is_edit)
    if not events:
        return
    deploy = get_deploy(connection, place.id, row["deploy_id"])
    review = find_review(connection, place.id, deploy.id)
    impact = ImpactNews(
        state=row["state"],
        verdict=row["verdict"],
        previous_verdict=before[1] if before else None,
        sentence=row["sentence"],
        reasons=_find_reasons(connection, place.id, deploy.id, now),
        review=review.decision if review else None,
    )
    data = _describe(connection, place, deploy, impact)
    for event in events:
        yield News(event=event, subject_id=row["id"], happened_at=row["changed_at"], data=data)


def _find_before(connection: Connection, project_id: int, row: Row) -> tuple[State, Verdict] | None:
    found = connection.execute(
        """/* impact_changes.find_before */ select state, verdict from impact_changes
        where project_id = :project_id and deploy_id = :deploy_id and id < :id
        order by id desc limit 1""",
        {"project_id": project_id, "deploy_id": row["deploy_id"], "id": row["id"]},
    ).fetchone()
    return None if found is None else (found[0], found[1])


def _is_edit(connection: Connection, project_id: int, row: Row) -> bool:
    """Whether a correction made a verdict another one: a short time before it, of a deploy in the
    same place, and of what verdicts rest on."""
    found = connection.execute(
        """/* webhooks.find_edits */ select x.after
        from deploys d join deploys o on o.project_id = d.project_id and o.service = d.service
            and o.env = d.env
        join deploy_changes x on x.project_id = o.project_id and x.deploy_id = o.id
            and x.changed_at > :since and x.changed_at <= :at
        where d.project_id = :project_id and d.id = :deploy_id
            and o.updated_at > :since""",
        {
            "project_id": project_id,
            "deploy_id": row["deploy_id"],
            "since": row["changed_at"] - _SOON_AFTER_EDIT,
            "at": row["changed_at"],
        },
    )
    return any(not _RESTS_ON.isdisjoint(msgspec.json.decode(after)) for (after,) in found)


def _find_previous_verdict(
    connection: Connection, project_id: int, deploy_id: int
) -> Verdict | None:
    """What came of the deploy that was live before in the same service and environment."""
    found: Verdict | None = scalar(
        connection,
        """/* webhooks.find_previous_verdict */ select i.verdict
        from deploys d join deploys p on p.project_id = d.project_id and p.service = d.service
            and p.env = d.env and p.deployed_at <= d.deployed_at and p.id <> d.id
            and p.status = 'succeeded' and p.hidden_at is null and p.is_left_out = 0
        left join impacts i on i.project_id = p.project_id and i.deploy_id = p.id
        where d.project_id = :project_id and d.id = :deploy_id
        order by p.deployed_at desc, p.id desc limit 1""",
        project_id=project_id,
        deploy_id=deploy_id,
    )
    return found


def _find_reasons(
    connection: Connection, project_id: int, deploy_id: int, now: tuple[State, Verdict]
) -> list[str]:
    """Those of the stored evidence, unless that is of a later look already."""
    impact = find_impact(connection, project_id, deploy_id)
    if impact is None or (impact.state, impact.verdict) != now:
        return []
    return [cut(reason) for reason in impact.reasons]


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
            and {_unseen("error", "g.id")}
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
