"""What a release changes in deploys: only those that nobody announced."""

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.releases import (
    SeenRelease,
    add_release,
    label_release,
    may_be_part_of,
    to_release,
)
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.adoption import other_went_live
from miniapm.storage.deploys.rows import update_row
from miniapm.storage.deploys.versions import count_up


def fold_release(connection: Connection, row: Deploy, release: SeenRelease, now: int) -> Deploy:
    """Adds what a release tells to an observed deploy; what a person corrected stays as it is."""
    added = add_release(row, release, now)
    if added is row or _is_corrected(connection, row):
        return row
    update_row(connection, added)
    return added


def absorb_observed(
    connection: Connection, observed: Deploy, deploy: Deploy, release: SeenRelease, now: int
) -> Deploy | None:
    """`release` has tied both together: if they may be one deploy, only `deploy` remains, else
    None. One that was announced stays as it was."""
    begin, end = sorted((observed.deployed_at, deploy.deployed_at))
    label = label_release(release.name)
    if not may_be_part_of(observed, deploy) or other_went_live(
        connection, deploy, begin, end, label
    ):
        return None
    ids = {
        "project_id": observed.project_id,
        "observed": observed.id,
        "deploy": deploy.id,
        "now": now,
    }
    connection.execute(
        """/* releases.move */ update releases set deploy_id = :deploy
        where project_id = :project_id and deploy_id = :observed""",
        ids,
    )
    for table, column in (
        ("deploy_tags", "deploy_id"),
        ("deploy_changes", "deploy_id"),
        ("deploys", "id"),
    ):
        connection.execute(
            f"""/* deploys.absorb */ delete from {table}
            where project_id = :project_id and {column} = :observed""",
            ids,
        )
    count_up(connection, [(deploy.project_id, deploy.service)])
    # pages that listen hear of it
    connection.execute(
        """/* deploys.touch */ update deploys set updated_at = :now
        where project_id = :project_id and id = :deploy and updated_at < :now""",
        ids,
    )
    if deploy.is_observed:
        return fold_release(connection, deploy, to_release(observed), now)
    return deploy


def _is_corrected(connection: Connection, deploy: Deploy) -> bool:
    found = scalar(
        connection,
        """/* deploy_changes.find_any */ select 1 from deploy_changes
        where project_id = :project_id and deploy_id = :deploy_id limit 1""",
        project_id=deploy.project_id,
        deploy_id=deploy.id,
    )
    return found is not None
