"""The commits that pushes told of, and which of them a deploy brought: those between what was live
before it and itself, on one branch.

What a sender said of a deploy's commits itself goes before. Those found here have positions below
zero, in the order of the branch.
"""

from collections.abc import Sequence

import msgspec

from miniapm.clock import HOUR, SECOND
from miniapm.domain.deploys.commits import POSITIONS_PER_SECOND
from miniapm.domain.deploys.payload import MAX_COMMITS
from miniapm.domain.deploys.values import SHA_PREFIX, Commit, Deploy
from miniapm.domain.receivers.values import Push
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.pushed_places import PushedPlace, find_pushed_place
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.deploys.surroundings import find_next_live, find_previous_live
from miniapm.storage.deploys.versions import count_up

# more than any position: a difference to it is below zero
_BELOW_ZERO = 10**15
_HEAD_POSITION = -1
_MOST_DEPLOYS = 500


def store_push(connection: Connection, project_id: int, push: Push, now: int) -> None:
    """Keeps the commits of a push, and gives them to the deploys that turn out to have brought
    them; `now` in µs."""
    at = now if push.at is None else min(push.at, now)
    first = _find_free_position(connection, project_id, push, at)
    connection.executemany(
        """/* pushed_commits.store */ insert into pushed_commits (project_id, repository, sha,
            branch, position, committed_at, message, author, pushed_at)
        values (:project_id, :repository, :sha, :branch, :position, :committed_at, :message,
            :author, :pushed_at)
        on conflict (project_id, repository, sha) do update set branch = excluded.branch,
            position = excluded.position, pushed_at = excluded.pushed_at
        where pushed_commits.branch <> excluded.branch""",
        [
            {
                "project_id": project_id,
                "repository": push.repository,
                "sha": commit.sha.lower(),
                "branch": push.branch,
                "position": first + index,
                "committed_at": commit.committed_at,
                "message": commit.message,
                "author": commit.author,
                "pushed_at": at,
            }
            for index, commit in enumerate(push.commits)
        ],
    )
    for deploy in _find_deploys_of(connection, project_id, push, at):
        fill_commits(connection, deploy, now)


def _find_free_position(connection: Connection, project_id: int, push: Push, at: int) -> int:
    """The first of the push's second that no other push of the branch has taken."""
    first = at // SECOND * POSITIONS_PER_SECOND
    taken = scalar(
        connection,
        """/* pushed_commits.last_of_second */ select max(position) from pushed_commits
        where project_id = :project_id and repository = :repository and branch = :branch
            and position >= :first and position < :end""",
        project_id=project_id,
        repository=push.repository,
        branch=push.branch,
        first=first,
        end=first + POSITIONS_PER_SECOND,
    )
    return first if taken is None else int(taken) + 1


def _find_deploys_of(
    connection: Connection, project_id: int, push: Push, at: int
) -> Sequence[Deploy]:
    """The deploys of its commits that came before it: they were deployed after it was pushed."""
    rows = connection.execute(
        f"""/* deploys.find_since_push */ select {COLUMNS} from deploys
        where project_id = :project_id and deployed_at >= :since
        order by deployed_at, id limit {_MOST_DEPLOYS}""",
        {"project_id": project_id, "since": at - HOUR},
    ).fetchall()
    shas = {commit.sha.lower() for commit in push.commits}
    prefixes = {sha[:SHA_PREFIX] for sha in shas}
    near = [row for row in rows if row["git_sha"][:SHA_PREFIX].lower() in prefixes]
    wanted = [r for r in near if any(sha.startswith(r["git_sha"].lower()) for sha in shas)]
    return to_deploys(connection, project_id, wanted)


def fill_commits(connection: Connection, deploy: Deploy, now: int) -> None:
    """Gives a deploy, and the one that went live after it, the pushed commits that they brought.

    One index look-up where no push told of the deploy's commit.
    """
    place = find_pushed_place(connection, deploy)
    if place is None:
        return
    _fill(connection, deploy, place, now)
    following = find_next_live(connection, deploy)
    if following is not None:
        its_place = find_pushed_place(connection, following)
        if its_place is not None:
            _fill(connection, following, its_place, now)


def insert_head(connection: Connection, deploy: Deploy, head: Commit) -> None:
    """Keeps what the sender told of the deployed commit, unless more is known."""
    if not _is_told(connection, deploy):
        alone = msgspec.structs.replace(head, is_approximate=True)
        _insert(connection, deploy, [(alone, _HEAD_POSITION)], overwrite=False)


def _fill(connection: Connection, deploy: Deploy, place: PushedPlace, now: int) -> None:
    if _is_told(connection, deploy):
        return
    previous = find_previous_live(connection, deploy)
    before = None if previous is None else find_pushed_place(connection, previous)
    begin = place.position - 1
    # of the first deploy, and after one that no push told of, only the deployed commit is certain
    is_approximate = before is None or before[:2] != place[:2]
    if before is not None and not is_approximate:
        begin = min(begin, before.position)
    rows = connection.execute(
        f"""/* pushed_commits.find_range */ select sha, committed_at, message, author, position
        from pushed_commits
        where project_id = :project_id and repository = :repository and branch = :branch
            and position > :begin and position <= :end
        order by position desc limit {MAX_COMMITS}""",
        {"project_id": deploy.project_id, **place._asdict(), "begin": begin, "end": place.position},
    )
    commits = [
        (Commit(sha, at, message, author, is_approximate), position - _BELOW_ZERO)
        for sha, at, message, author, position in rows
    ]
    if _insert(connection, deploy, commits, overwrite=True):
        connection.execute(
            """/* deploys.touch */ update deploys
            set updated_at = case when updated_at < :now then :now else updated_at + 1 end
            where project_id = :project_id and id = :id""",
            {"project_id": deploy.project_id, "id": deploy.id, "now": now},
        )


def _is_told(connection: Connection, deploy: Deploy) -> bool:
    """Whether a sender said which commits the deploy brought."""
    found = scalar(
        connection,
        """/* deploy_commits.find_told */ select 1 from deploy_commits
        where project_id = :project_id and deploy_id = :deploy_id and position >= 0 limit 1""",
        project_id=deploy.project_id,
        deploy_id=deploy.id,
    )
    return found is not None


def _insert(
    connection: Connection, deploy: Deploy, commits: list[tuple[Commit, int]], *, overwrite: bool
) -> bool:
    """Whether the deploy has commits now that it had not."""
    count = "select count(*) from deploy_commits where project_id = :project_id"
    values = {"project_id": deploy.project_id, "deploy_id": deploy.id}
    sql = f"/* deploy_commits.count */ {count} and deploy_id = :deploy_id"
    before = scalar(connection, sql, **values)
    done = (
        """do update set position = excluded.position,
            committed_at = coalesce(excluded.committed_at, deploy_commits.committed_at),
            message = coalesce(excluded.message, deploy_commits.message),
            author = coalesce(excluded.author, deploy_commits.author),
            is_approximate = excluded.is_approximate
        where deploy_commits.position < 0"""
        if overwrite
        else "do nothing"
    )
    connection.executemany(
        f"""/* deploy_commits.fill */ insert into deploy_commits
            (project_id, deploy_id, position, sha, message, author, committed_at, is_approximate)
        values (:project_id, :deploy_id, :position, :sha, :message, :author, :committed_at,
            :is_approximate)
        on conflict (project_id, deploy_id, sha) {done}""",
        [
            {
                **values,
                "position": position,
                "sha": commit.sha.lower(),
                "message": commit.message,
                "author": commit.author,
                "committed_at": commit.committed_at,
                "is_approximate": int(commit.is_approximate),
            }
            for commit, position in commits
        ],
    )
    count_up(connection, [(deploy.project_id, deploy.service)])
    return bool(scalar(connection, sql, **values) != before)
