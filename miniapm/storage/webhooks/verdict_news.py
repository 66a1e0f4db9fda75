"""What is new of verdicts: each change of one, unless it is but a correction's."""

from collections.abc import Iterator

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.impact.values import State, Verdict
from miniapm.domain.webhooks.news import ImpactNews, News, cut, name_verdict_events
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.impact.reviews import find_review
from miniapm.storage.impact.verdicts import find_impact
from miniapm.storage.webhooks.happenings import (
    MOST_AT_ONCE,
    Happening,
    Place,
    describe_deploy,
    unseen_condition,
)

# a verdict follows what it rests on within seconds, or a few minutes where much is to be judged
_SOON_AFTER_EDIT = 5 * MINUTE
_RESTS_ON = frozenset(
    {"deployed_at", "env", "git_sha", "hidden_at", "service", "started_at", "status", "version"}
)


def find_changes(
    connection: Connection, place: Place, since: int, oldest: int
) -> Iterator[Happening]:
    """The unseen changes of verdicts at or after `since`, of deploys at or after `oldest` (µs)."""
    rows = connection.execute(
        f"""/* webhooks.find_changes */ select c.id, c.deploy_id, c.state, c.verdict, c.sentence,
            c.changed_at
        from impact_changes c join deploys d on d.id = c.deploy_id and d.project_id = c.project_id
        where c.project_id = :project_id and c.changed_at >= :since and d.hidden_at is null
            and d.deployed_at >= :oldest and {unseen_condition("change", "c.id")}
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
    data = describe_deploy(connection, place, deploy, impact)
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
