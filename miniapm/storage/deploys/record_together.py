"""Recording many announcements at once, for the group commit: one look-up and one insert serve all
that are plainly new; whatever needs judgement is left to `record_announcement`.

Why: SQLite's work is done without Python's lock, but each statement gives it up and takes it back,
so a statement per deploy costs the writer more than its rows.
"""

from collections import Counter
from collections.abc import Sequence

from miniapm.domain.deploys.lifecycle import open_deploy
from miniapm.domain.deploys.values import SAME_DEPLOY_WITHIN, Announcement, Lane
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.record import Recorded
from miniapm.storage.deploys.replays import Replay
from miniapm.storage.deploys.rows import insert_many

RecordCall = tuple[Announcement, int, int, Replay | None]


def record_together(connection: Connection, calls: Sequence[RecordCall]) -> list[Recorded | None]:
    """Stores what is plainly new in `calls` (the arguments of `record_announcement`).

    Gives what became of each, None for those that it left alone.
    """
    done: list[Recorded | None] = [None] * len(calls)
    # another source's sha may be a prefix of one of ours
    if any(call[0].source != "api" for call in calls):
        return done
    times = Counter(call[0].git_sha for call in calls)
    lanes: dict[Lane, list[int]] = {}
    for index, (announcement, _, _, replay) in enumerate(calls):
        if replay is None and times[announcement.git_sha] == 1 and _is_plain(announcement):
            lanes.setdefault(_lane(announcement), []).append(index)
    deploys = []
    for lane, indexes in lanes.items():
        known = _find_known(connection, lane, [calls[index][0] for index in indexes])
        for index in indexes:
            announcement, new_id, *_ = calls[index]
            if known is not None and announcement.git_sha not in known:
                deploys.append(open_deploy(announcement, new_id))
                done[index] = Recorded(new_id, is_new=True)
    insert_many(connection, deploys)
    return done


def _is_plain(a: Announcement) -> bool:
    return not (a.external_id or a.tags or a.commits or a.every_call_counts)


def _lane(a: Announcement) -> Lane:
    return Lane(a.project_id, a.service, a.env)


def _find_known(
    connection: Connection, lane: Lane, announcements: Sequence[Announcement]
) -> set[str] | None:
    """Which of the shas the lane has; None when another source may have announced one of them,
    telemetry shown it, however long ago, or a push told of it."""
    place = lane._asdict()
    foreign = scalar(
        connection,
        """/* deploys.has_foreign */ select 1 from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources <> 'api' and deployed_at >= :begin
        union all
        select 1 from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources = 'telemetry'
        union all
        select 1 from pushed_commits where project_id = :project_id
        limit 1""",
        **place,
        begin=min(a.at for a in announcements) - SAME_DEPLOY_WITHIN,
    )
    if foreign is not None:
        return None
    shas = [a.git_sha for a in announcements]
    # as many places as the next power of two, so that a few statements serve every group
    shas += shas[-1:] * ((1 << (len(shas) - 1).bit_length()) - len(shas))
    names = ", ".join(f":s{i}" for i in range(len(shas)))
    rows = connection.execute(
        f"""/* deploys.find_known */ select git_sha from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha in ({names})""",
        {**place, **{f"s{i}": sha for i, sha in enumerate(shas)}},
    )
    return {row[0] for row in rows}
