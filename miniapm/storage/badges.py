"""Badges: an address that cannot be guessed for the last deploy of an environment."""

from typing import NamedTuple

from miniapm.domain.impact.values import State, StoredVerdict, Verdict
from miniapm.domain.tokens import make_token
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.deploys.surroundings import find_live_at
from miniapm.storage.impact.verdicts import find_verdicts

# the clock of who sends may be ahead of ours
_NO_END = 2**63 - 1


class Badge(NamedTuple):
    """`token` is None for an environment that has no badge yet."""

    env: str
    token: str | None


class BadgeContent(NamedTuple):
    """What a badge says: a live deploy and its verdict, None where there is none."""

    env: str
    service: str | None
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
    """The newest live deploy of the environment; where several services have one, the newest that
    regressed, if any. NotFound when no badge has this token."""
    badge = connection.execute(
        "/* badges.get */ select project_id, env from badges where token = :token",
        {"token": token},
    ).fetchone()
    if badge is None:
        raise NotFound("There is no such badge.")
    project_id, env = badge
    found = [
        find_live_at(connection, project_id, service, env, _NO_END)
        for service, its_env in find_lanes(connection, project_id)
        if its_env == env
    ]
    deploys = sorted(filter(None, found), key=lambda one: (one.deployed_at, one.id), reverse=True)
    if not deploys:
        return BadgeContent(env, None, None, None, None, None)
    verdicts = find_verdicts(connection, project_id, [deploy.id for deploy in deploys])
    deploy = next((one for one in deploys if _has_regressed(verdicts.get(one.id))), deploys[0])
    stored = verdicts.get(deploy.id)
    state, verdict = (stored.state, stored.verdict) if stored else (None, None)
    if state == "pending":
        verdict = None
    return BadgeContent(env, deploy.service, deploy.name, deploy.deployed_at, state, verdict)


def _has_regressed(found: StoredVerdict | None) -> bool:
    return found is not None and found.verdict == "regressed" and not found.is_dismissed
