"""The ids that senders other than the API give their deploys: each source has ids of its own."""

from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys


def find_by_foreign_id(connection: Connection, announcement: Announcement) -> Deploy | None:
    """The deploy that the same source announced under the same id before."""
    rows = connection.execute(
        f"""/* deploy_ids.find */ select {COLUMNS} from deploys
        where project_id = :project_id and id = (
            select deploy_id from deploy_ids where project_id = :project_id
                and source = :source and external_id = :external_id)""",
        {
            "project_id": announcement.project_id,
            "source": announcement.source,
            "external_id": announcement.external_id,
        },
    ).fetchall()
    found = to_deploys(connection, announcement.project_id, rows)
    return found[0] if found else None


def insert_foreign_id(connection: Connection, announcement: Announcement, deploy_id: int) -> None:
    """Remembers which deploy the id of `announcement` means; one that is known stays."""
    connection.execute(
        """/* deploy_ids.insert */ insert into deploy_ids
            (project_id, source, external_id, deploy_id)
        values (:project_id, :source, :external_id, :deploy_id)
        on conflict (project_id, source, external_id) do nothing""",
        {
            "project_id": announcement.project_id,
            "source": announcement.source,
            "external_id": announcement.external_id,
            "deploy_id": deploy_id,
        },
    )
