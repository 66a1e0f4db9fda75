"""Which deploys of late the delivery numbers leave out, and by which rule."""

from collections.abc import Iterator

from miniapm.clock import DAY
from miniapm.domain.counts import tell_count
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.left_out import LeftOut, count_left_out
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.projects import Project

_DAYS = 30
_WORDS = {
    "hidden": "hidden",
    "other_environments": "to other environments",
    "left_out": "told by GitHub alone, beside the API",
    "failed": "failed",
    "cancelled": "cancelled",
    "timed_out": "timed out",
    "started": "still running",
    "redeploys": "redeployed",
}


def examine_deploys(
    connection: Connection, project: Project, rules: DeliveryRules, now: int
) -> list[Finding]:
    """The findings about the deploys of the last 30 days."""
    return [
        *_examine_environments(connection, project, rules),
        *_examine_left_out(connection, project, rules, now),
    ]


def _examine_environments(
    connection: Connection, project: Project, rules: DeliveryRules
) -> Iterator[Finding]:
    envs = sorted({env for _, env in find_lanes(connection, project.id)})
    if not envs or any(rules.is_production(env) for env in envs):
        return
    yield Finding(
        "note",
        project.slug,
        f"{project.slug} has deploys to {', '.join(envs[:5])}, and none of them is a production "
        f"environment ({', '.join(rules.production)}): the delivery numbers have nothing to count.",
        "Name the one that is in the setting delivery.production_environments.",
    )


def _examine_left_out(
    connection: Connection, project: Project, rules: DeliveryRules, now: int
) -> Iterator[Finding]:
    since = now - _DAYS * DAY
    found = count_left_out(connection, project.id, Asked(since, now + DAY), rules)
    found = found._replace(redeploys=_count_redeploys(connection, project, since, rules))
    total = sum(found)
    if not total:
        return
    yield Finding(
        "ok",
        project.slug,
        f"Of the last {_DAYS} days, the delivery numbers of {project.slug} leave out "
        f"{tell_count(total, 'deploy')}: {_list(found)}.",
        "`miniapm doctor --deploy ID` says why one of them is not in a graph or number.",
    )


def _list(found: LeftOut) -> str:
    return ", ".join(
        f"{count:,} {_WORDS[name]}" for name, count in found._asdict().items() if count
    )


def _count_redeploys(
    connection: Connection, project: Project, since: int, rules: DeliveryRules
) -> int:
    rows = connection.execute(
        """/* doctor.count_redeploys */ select env, count(*) from (
            select env, deployed_at, git_sha, lag(git_sha) over (
                partition by service, env order by deployed_at, id) as before_sha
            from deploys
            where project_id = :project_id and status = 'succeeded' and hidden_at is null
                and is_left_out = 0) live
        where git_sha = before_sha and deployed_at >= :since
        group by env""",
        {"project_id": project.id, "since": since},
    )
    return sum(count for env, count in rows if rules.is_production(env))
