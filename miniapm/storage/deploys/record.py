"""Recording an announcement: the judgement and the row in one submission of the writer."""

import msgspec

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.lifecycle import fold, open_deploy
from miniapm.domain.deploys.matching import Match, find_match
from miniapm.domain.deploys.values import (
    SAME_DEPLOY_WITHIN,
    SHA_PREFIX,
    Announcement,
    Deploy,
)
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.adoption import find_adoptable
from miniapm.storage.deploys.beside_api import settle
from miniapm.storage.deploys.foreign_ids import find_by_foreign_id, insert_foreign_id
from miniapm.storage.deploys.pushed import fill_commits
from miniapm.storage.deploys.replays import Replay, find_replay, insert_replay
from miniapm.storage.deploys.rows import (
    COLUMNS,
    insert_commits,
    insert_row,
    to_deploys,
    update_row,
)
from miniapm.storage.prefixes import end_of

# a sender in a loop must not make each call slower than the one before
MOST_CANDIDATES = 50
# what an end may end, however long ago it began
_OPEN = ("started", "timed_out")


class Recorded(msgspec.Struct, frozen=True):
    """Where the announcement ended up. `is_new` tells a new deploy from one that was known,
    `is_changed` that the known one says something else now."""

    deploy_id: int
    is_new: bool
    is_changed: bool = False


def record_announcement(
    connection: Connection,
    announcement: Announcement,
    new_id: int,
    timeout: int,
    replay: Replay | None = None,
) -> Recorded:
    """Stores what is new in `announcement`; `timeout` in µs is `deploys.timeout`.

    Conflict when `replay.key` came with another body before.
    """
    if replay is not None:
        known = find_replay(connection, announcement, replay)
        if known is not None:
            return Recorded(known, is_new=False)
    recorded = _fold_or_insert(connection, announcement, new_id, timeout)
    if replay is not None:
        insert_replay(connection, announcement, replay, recorded.deploy_id)
    return recorded


def _fold_or_insert(
    connection: Connection, announcement: Announcement, new_id: int, timeout: int
) -> Recorded:
    known = None
    if announcement.foreign_id is not None:
        known = find_by_foreign_id(connection, announcement)
    row = known or _find_meant(connection, announcement, timeout)
    if row is None:
        deploy = open_deploy(announcement, new_id)
        insert_row(connection, deploy)
    else:
        deploy = fold(row, announcement, same_foreign_id=known is not None)
        if deploy is not row:
            update_row(connection, deploy)
    if announcement.foreign_id is not None and known is None:
        insert_foreign_id(connection, announcement, deploy.id)
    new_commits = insert_commits(connection, deploy, announcement.commits)
    now = announcement.received_at
    for service, env in {(e.service, e.env) for e in (deploy, row) if e and deploy is not row}:
        settle(connection, deploy.project_id, service, env, now)
    fill_commits(connection, deploy, now)
    is_changed = row is not None and (deploy is not row or new_commits > 0)
    return Recorded(deploy.id, is_new=row is None, is_changed=is_changed)


def _find_meant(connection: Connection, announcement: Announcement, timeout: int) -> Deploy | None:
    if announcement.own_id is not None:
        known = _find_external(connection, announcement)
        if known is not None:
            return known
    found = None
    if announcement.at_given or not announcement.every_call_counts:
        rows = _find_same(connection, announcement, timeout)
        found = _choose(connection, announcement, rows, timeout)
    if found is None and not announcement.every_call_counts:
        rows = _find_foreign(connection, announcement)
        found = _choose(connection, announcement, rows, timeout)
    return found or find_adoptable(connection, announcement)


def _choose(
    connection: Connection, announcement: Announcement, rows: list[Deploy], timeout: int
) -> Deploy | None:
    """The deploy among `rows` that is meant: where one is no repeat, another may still be."""
    while rows:
        match = find_match(announcement, rows, timeout)
        if match is None:
            return None
        if not match.repeat or not _other_went_live(connection, announcement, match):
            return match.deploy
        rows = [row for row in rows if row.id != match.deploy.id]
    return None


def _find_external(connection: Connection, announcement: Announcement) -> Deploy | None:
    rows = connection.execute(
        f"""/* deploys.find_external */ select {COLUMNS} from deploys
        where project_id = :project_id and external_id = :external_id""",
        {"project_id": announcement.project_id, "external_id": announcement.own_id},
    ).fetchall()
    found = to_deploys(connection, announcement.project_id, rows)
    return found[0] if found else None


def _find_same(connection: Connection, announcement: Announcement, timeout: int) -> list[Deploy]:
    """The deploys of the same service, env and sha up to about its time, oldest first."""
    exact = "and deployed_at = :at" if announcement.every_call_counts else ""
    rows = connection.execute(
        f"""/* deploys.find_same */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and deployed_at <= :until {exact}
        order by deployed_at desc, id desc limit {MOST_CANDIDATES}""",
        {
            "project_id": announcement.project_id,
            "service": announcement.service,
            "env": announcement.env,
            "git_sha": announcement.git_sha,
            "at": announcement.at,
            # without a time of its own it may end a start that a fast clock put ahead
            "until": announcement.at + (max(timeout, HOUR) if announcement.at_given else DAY),
        },
    ).fetchall()
    # what ended long before it cannot be meant; tags are not read for nothing
    since = announcement.at - SAME_DEPLOY_WITHIN
    near = [r for r in reversed(rows) if r["deployed_at"] >= since or r["status"] in _OPEN]
    return to_deploys(connection, announcement.project_id, near)


def _find_foreign(connection: Connection, announcement: Announcement) -> list[Deploy]:
    """Deploys that only other sources have announced, about now, whose sha begins alike."""
    prefix = announcement.git_sha[:SHA_PREFIX]
    # the source stands in the text so that the API's look-up can use its partial index; the plus
    # keeps the sha from choosing another: these are found by the time
    rows = connection.execute(
        f"""/* deploys.find_foreign */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and +git_sha >= :prefix and +git_sha < :after and sources <> '{announcement.source}'
            and deployed_at >= :begin and deployed_at <= :end
        limit {MOST_CANDIDATES}""",
        {
            "project_id": announcement.project_id,
            "service": announcement.service,
            "env": announcement.env,
            "prefix": prefix,
            "after": end_of(prefix),
            "begin": announcement.at - SAME_DEPLOY_WITHIN,
            "end": announcement.at + SAME_DEPLOY_WITHIN,
        },
    ).fetchall()
    # in Python: a sorter in the statement would cost more than the look-up
    rows.sort(key=lambda row: (row["deployed_at"], row["id"]))
    return to_deploys(connection, announcement.project_id, rows)


def _other_went_live(connection: Connection, announcement: Announcement, match: Match) -> bool:
    """Whether another version was announced live between the deploy and the announcement."""
    begin, end = sorted((match.deploy.deployed_at, announcement.at))
    found = scalar(
        connection,
        """/* deploys.find_between */ select 1 from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and sources <> 'telemetry'
            and deployed_at > :begin and deployed_at < :end
            and (git_sha <> :git_sha or coalesce(version, '') <> coalesce(:version, ''))
            and id <> :id
        limit 1""",
        project_id=announcement.project_id,
        service=announcement.service,
        env=announcement.env,
        begin=begin,
        end=end,
        git_sha=match.deploy.git_sha,
        version=match.deploy.version,
        id=match.deploy.id,
    )
    return found is not None
