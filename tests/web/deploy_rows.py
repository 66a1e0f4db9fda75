"""Deploys that stand in the database before a page is asked for."""

from typing import Any

from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.storage.deploys.rows import insert_commits, insert_row
from miniapm.storage.projects import get_project
from tests import factories
from tests.conftest import Server
from tests.factories import START


def add_deploy(
    server: Server, *, project: str = "default", commits: tuple[Commit, ...] = (), **fields: Any
) -> Deploy:
    """A deploy as stored; without a time, a minute after the one made before it."""
    context = server.running.context
    number = server.rows("select count(*) + 1 as number from deploys")[0]["number"]
    found = server.run(context.database.read(get_project, project))
    fields.setdefault("deployed_at", START + number * MINUTE)
    defaults = {"id": context.make_id(), "project_id": found.id, "git_sha": f"{number:040x}"}
    deploy = factories.make_deploy(**{**defaults, **fields})
    server.run(context.database.write(insert_row, deploy))
    server.run(context.database.write(insert_commits, deploy, commits))
    return deploy
