"""Deploys that telemetry showed before they were announced."""

from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.domain.releases import Label, is_same, label_deploy
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys

# of a service that is never announced, many may have come together
_MOST_CANDIDATES = 200
_MOST_BETWEEN = 50


def find_adoptable(connection: Connection, announcement: Announcement) -> Deploy | None:
    """The deploy that only telemetry has shown and that `announcement` speaks of, at any distance.

    What was seen first and announced afterwards is another deploy if another version went live in
    between; what was announced before it was seen is that deploy whatever went live meanwhile.
    """
    rows = connection.execute(
        f"""/* deploys.find_observed */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources = 'telemetry'
        order by deployed_at desc, id desc limit {_MOST_CANDIDATES}""",
        {
            "project_id": announcement.project_id,
            "service": announcement.service,
            "env": announcement.env,
        },
    ).fetchall()
    if not rows:
        return None
    label = label_deploy(announcement.git_sha, announcement.version)
    same = [row for row in rows if is_same(label, label_deploy(row["git_sha"], row["version"]))]
    found = to_deploys(connection, announcement.project_id, same)
    found.sort(key=lambda deploy: abs(deploy.deployed_at - announcement.at))
    for deploy in found:
        begin, end = deploy.deployed_at, announcement.at
        if begin >= end or not other_went_live(connection, deploy, begin, end, label):
            return deploy
    return None


def other_went_live(
    connection: Connection, deploy: Deploy, begin: int, end: int, label: Label
) -> bool:
    """Whether another version than that of `deploy`, which also goes by `label`, went live in its
    service and env in begin < t < end, announced or not."""
    rows = connection.execute(
        f"""/* deploys.find_live_between */ select git_sha, version from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and deployed_at > :begin and deployed_at < :end and id <> :id
        limit {_MOST_BETWEEN}""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "begin": begin,
            "end": end,
            "id": deploy.id,
        },
    )
    labels = label, label_deploy(deploy.git_sha, deploy.version)
    return any(not any(is_same(one, label_deploy(*row)) for one in labels) for row in rows)
