"""What a deploy is called when its sender gave no title: the message of the commit it deployed."""

from collections.abc import Sequence

from miniapm.domain.deploys.titles import shown_title
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection, scalar

_PAST_EVERY_SHA = "\x7f"


def find_titles(connection: Connection, deploys: Sequence[Deploy]) -> dict[int, str]:
    """The title of each deploy that has one: its own, else its head commit's first line.

    One index look-up for each deploy without a title of its own.
    """
    titles = {}
    for deploy in deploys:
        message = None if deploy.title else _find_head_message(connection, deploy)
        title = shown_title(deploy, message)
        if title:
            titles[deploy.id] = title
    return titles


def _find_head_message(connection: Connection, deploy: Deploy) -> str | None:
    # the sha may be the short form of the commit's
    found = scalar(
        connection,
        """/* deploys.find_head_message */ select message from deploy_commits
        where project_id = :project_id and deploy_id = :deploy_id
            and sha >= :sha and sha < :past
        order by sha limit 1""",
        project_id=deploy.project_id,
        deploy_id=deploy.id,
        sha=deploy.git_sha,
        past=deploy.git_sha + _PAST_EVERY_SHA,
    )
    return None if found is None else str(found)
