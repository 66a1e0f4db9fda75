"""Badges: an address that cannot be guessed for the last deploy of an environment."""

from typing import NamedTuple

from miniapm.domain.impact.values import State, Verdict
from miniapm.domain.tokens import make_token
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.impact.verdicts import find_verdicts


class Badge(NamedTuple):
    """`token` is None for an environment that has no badge yet."""

    env: str
    token: str | None


class BadgeContent(NamedTuple):
    """What a badge says: the live deploy and its verdict, None where there is none."""

    env: str
    name: str | None
    deployed_at: int | None
    state: State | None
    verdict: Verdict | None


def find_badges(connection: Connection, project_id: int) -> list[Badge]:
    """Every environment of a project that has deploys or a badge, by name."""
    rows = connection.execute(
        """/* badges.find */ select e.env, b.token from (
            select distinct env from deploys where project_id = :project_id and hidden_at is null
            union select env from badges where project_id = :project_id) as e
        left join badges b on b.project_id = :project_id and b.env = e.env order by e.env""",
        {"project_id": project_id},
    )
    return [Badge(*row) for row in rows]


def make_badge(connection: Connection, act: Act, project_id: int, env: str) -> str:
    """A new token for an environment; the one before shows nothing any more. NotFound when the
    project has no such environment."""
    if env not in {badge.env for badge in find_badges(connection, project_id)}:
        raise NotFound("There is no such environment.")
    token = make_token()
    connection.execute(
        """/* badges.store */ insert into badges (project_id, env, token, made_at)
        values (:project_id, :env, :token, :at)
        on conflict (project_id, env) do update set token = excluded.token,
            made_at = excluded.made_at""",
        {"project_id": project_id, "env": env, "token": token, "at": act.at},
    )
    note(connection, act, project_id, "badge.make", env)
    return token


def delete_badge(connection: Connection, act: Act, project_id: int, env: str) -> None:
    """NotFound when there is none."""
    done = connection.execute(
        "/* badges.delete */ delete from badges where project_id = :project_id and env = :env",
        {"project_id": project_id, "env": env},
    )
    if done.rowcount == 0:
        raise NotFound("There is no such badge.")
    note(connection, act, project_id, "badge.delete", env)


def find_badge_content(connection: Connection, token: str) -> BadgeContent:
    """NotFound when no badge has this token."""
    badge = connection.execute(
        "/* badges.get */ select project_id, env from badges where token = :token",
        {"token": token},
    ).fetchone()
    if badge is None:
        raise NotFound("There is no such badge.")
    project_id, env = badge
    rows = connection.execute(
        f"""/* badges.find_live */ select {COLUMNS} from deploys
        where project_id = :project_id and env = :env and status = 'succeeded'
            and hidden_at is null and is_left_out = 0 order by deployed_at desc, id desc limit 1""",
        {"project_id": project_id, "env": env},
    ).fetchall()
    if not rows:
        return BadgeContent(env, None, None, None, None)
    [deploy] = to_deploys(connection, project_id, rows)
    stored = find_verdicts(connection, project_id, [deploy.id]).get(deploy.id)
    state, verdict = (stored.state, stored.verdict) if stored else (None, None)
    return BadgeContent(env, deploy.name, deploy.deployed_at, state, verdict)
