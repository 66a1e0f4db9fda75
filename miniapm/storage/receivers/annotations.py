"""Deploys as Grafana asks for them: by tags, which may be fields of theirs."""

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.receivers.grafana import FACTS, AnnotationQuery
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys


def find_annotated(connection: Connection, project_id: int, query: AnnotationQuery) -> list[Deploy]:
    """The newest deploys that `query` asks for, newest first; none of the hidden ones."""
    where = ["project_id = :project_id", "hidden_at is null"]
    if query.since is not None:
        where.append("deployed_at >= :since")
    if query.until is not None:
        where.append("deployed_at <= :until")
    values: dict[str, object] = {
        "project_id": project_id,
        "since": query.since,
        "until": query.until,
        "limit": query.limit,
    }
    conditions = []
    for place, tag in enumerate(query.choosing_tags):
        values |= {f"tag{place}": tag, f"fact{place}": tag.partition(":")[2]}
        conditions.append(_have(tag, place))
    if conditions:
        where.append(f"({(' or ' if query.match_any else ' and ').join(conditions)})")
    rows = connection.execute(
        f"""/* deploys.find_annotated */ select {COLUMNS} from deploys
        where {" and ".join(where)}
        order by deployed_at desc, id desc limit :limit""",
        values,
    ).fetchall()
    return to_deploys(connection, project_id, rows)


def _have(tag: str, place: int) -> str:
    """The condition that a deploy has `tag`, the one at `place` of those asked for."""
    tagged = f"""id in (select deploy_id from deploy_tags
        where project_id = :project_id and tag = :tag{place})"""
    field = FACTS.get(tag.partition(":")[0]) if ":" in tag else None
    return tagged if field is None else f"({field} = :fact{place} or {tagged})"
