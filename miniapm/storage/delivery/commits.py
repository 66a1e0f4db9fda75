"""The commits that deploys brought, and how long these waited."""

from collections.abc import Sequence

from miniapm.domain.delivery.lead_times import drop_repeats, fold_lead_times
from miniapm.domain.delivery.values import Brought, LeadTimes, Outcome
from miniapm.domain.deploys.values import Lane
from miniapm.storage.connection import Connection
from miniapm.storage.in_lists import bind_list, bind_parts


def find_lead_times(
    connection: Connection, lanes: Sequence[Lane], outcomes: Sequence[Outcome], since: int
) -> list[LeadTimes]:
    """The lead times of the deploys of one service at or after `since`, by deploy.

    `outcomes` are those of its `lanes`, which are all that count.
    """
    listed = [one for lane in lanes for one in _find_listed(connection, lane, since)]
    brought = drop_repeats(outcomes, listed)
    # what is older than all of these may have come with earlier ones
    old = [one[1] for one in brought if one[2] < since]
    return fold_lead_times(outcomes, brought, _find_known(connection, lanes, since, old))


def find_approximate(connection: Connection, project_id: int) -> set[int]:
    """The deploys of which only the deployed commit is known."""
    # the plus keeps SQLite to the small index of these: it takes the primary key for as good
    rows = connection.execute(
        """/* delivery.find_approximate */ select deploy_id from deploy_commits
        where +project_id = :project_id and is_approximate = 1""",
        {"project_id": project_id},
    )
    return {row[0] for row in rows}


def _find_listed(connection: Connection, lane: Lane, since: int) -> list[Brought]:
    # a cross join keeps its order: deploys by their time, then the commits of each
    cursor = connection.execute(
        """/* delivery.find_commits */ select c.deploy_id, c.sha, c.committed_at
        from deploys d cross join deploy_commits c
        where d.project_id = :project_id and d.service = :service and d.env = :env
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
            and d.deployed_at >= :since
            and c.project_id = d.project_id and c.deploy_id = d.id and c.committed_at is not null
        order by d.deployed_at, d.id""",
        {**lane._asdict(), "since": since},
    )
    # plain tuples: they come by the ten thousand
    cursor.row_factory = None
    return cursor.fetchall()


def _find_known(
    connection: Connection, lanes: Sequence[Lane], since: int, shas: Sequence[str]
) -> set[str]:
    """Those of `shas` that a live deploy of `lanes`, all of one service, brought before `since`."""
    known: set[str] = set()
    env_names, envs = bind_list("e", (lane.env for lane in lanes))
    for names, values in bind_parts("s", shas):
        # cross joins keep their order: `k` are look-ups by sha in an index that has no instants
        rows = connection.execute(
            f"""/* delivery.find_known */ select c.sha
            from deploy_commits k cross join deploys d cross join deploy_commits c
            where k.project_id = :project_id and k.sha in ({names}) and d.id = k.deploy_id
                and d.project_id = :project_id and d.service = :service
                and d.env in ({env_names})
                and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
                and d.deployed_at < :since and c.project_id = k.project_id
                and c.deploy_id = k.deploy_id and c.sha = k.sha
                and d.deployed_at > c.committed_at""",
            {
                "project_id": lanes[0].project_id,
                "service": lanes[0].service,
                "since": since,
                **envs,
                **values,
            },
        )
        known.update(row[0] for row in rows)
    return known
