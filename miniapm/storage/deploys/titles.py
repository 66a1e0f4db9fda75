"""What a deploy is called when its sender gave no title: the message of the commit it deployed."""

from collections.abc import Sequence

from miniapm.domain.deploys.titles import shown_title
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection
from miniapm.storage.prefixes import end_of


def find_titles(connection: Connection, deploys: Sequence[Deploy]) -> dict[int, str]:
    """The title of each deploy that has one: its own, else its head commit's first line.

    One index look-up for each deploy without a title of its own.
    """
    titles = {}
    for deploy in deploys:
        message, is_of_receiver = (
            (None, False) if deploy.title else _find_head_message(connection, deploy)
        )
        title = shown_title(deploy, message, is_of_receiver=is_of_receiver)
        if title:
            titles[deploy.id] = title
    return titles


def _find_head_message(connection: Connection, deploy: Deploy) -> tuple[str | None, bool]:
    """The message of the deployed commit, and whether a receiver brought it."""
    # the sha may be the short form of the commit's; what receivers brought is below zero
    row = connection.execute(
        """/* deploys.find_head_message */ select message, position < 0 from deploy_commits
        where project_id = :project_id and deploy_id = :deploy_id
            and sha >= :sha and sha < :past
        order by sha limit 1""",
        {
            "project_id": deploy.project_id,
            "deploy_id": deploy.id,
            "sha": deploy.git_sha,
            "past": end_of(deploy.git_sha),
        },
    ).fetchone()
    return (None, False) if row is None else (row[0], bool(row[1]))
