"""Deploys in bulk: out for an export, in from a file.

An exported deploy is put back as it was; one that is here already stays as it is here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import LiteralString

import msgspec

from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection, open_connection, scalar
from miniapm.storage.deploys.beside_api import settle
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.deploys.rows import (
    COLUMNS,
    find_commits,
    insert_commits,
    insert_row,
    to_deploys,
)
from miniapm.storage.migrations import migrate

PAGE = 500


def find_all_deploys(
    connection: Connection,
    project_id: int,
    since: int | None = None,
    until: int | None = None,
    *,
    hidden: bool = False,
) -> Iterator[ExportedDeploy]:
    """Every deploy of a project with its commits, oldest first, page by page; `hidden` too."""
    after_at, after_id = -1, 0
    visible = "" if hidden else "and hidden_at is null"
    while True:
        rows = connection.execute(
            f"""/* deploys.find_all */ select {COLUMNS} from deploys
            where project_id = :project_id {visible}
                and (deployed_at, id) > (:after_at, :after_id)
                and deployed_at >= :since and deployed_at < :until
            order by deployed_at, id limit {PAGE}""",
            {
                "project_id": project_id,
                "after_at": after_at,
                "after_id": after_id,
                "since": 0 if since is None else since,
                "until": 2**63 - 1 if until is None else until,
            },
        ).fetchall()
        for deploy in to_deploys(connection, project_id, rows):
            commits = find_commits(connection, project_id, deploy.id)
            yield ExportedDeploy(deploy, tuple(commits))
        if len(rows) < PAGE:
            return
        after_at, after_id = rows[-1]["deployed_at"], rows[-1]["id"]


class Copies:
    """Which deploy here each exported one of a file turned out to be, by its id there."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}
        self._taken: set[int] = set()

    def find(self, exported_id: int) -> int | None:
        return self._ids.get(exported_id)

    def add(self, exported_id: int, deploy_id: int) -> None:
        self._ids[exported_id] = deploy_id
        self._taken.add(deploy_id)

    def is_taken(self, deploy_id: int) -> bool:
        """Whether another one of the file is this deploy: two are never one, however alike."""
        return deploy_id in self._taken


def record_lines(
    connection: Connection,
    lines: Sequence[Announcement | ExportedDeploy],
    make_id: IdMaker,
    timeout: int,
    copies: Copies,
) -> list[Recorded]:
    """Stores what is new among `lines`, in their order; `timeout` in µs is `deploys.timeout`.

    `copies` are those of the same file so far; it grows.
    """
    stored = []
    for line in lines:
        if isinstance(line, ExportedDeploy):
            stored.append(_put_back(connection, line, make_id, copies))
        else:
            stored.append(record_announcement(connection, line, make_id(), timeout))
    return stored


def _put_back(
    connection: Connection, exported: ExportedDeploy, make_id: IdMaker, copies: Copies
) -> Recorded:
    deploy = exported.deploy
    known = copies.find(deploy.id) or _find_exported(connection, deploy, copies)
    if known is not None:
        copies.add(exported.deploy.id, known)
        return Recorded(known, is_new=False)
    # an id is one deploy's in all projects: where it is taken, the copy gets another
    taken = scalar(
        connection, "/* deploys.find_id */ select 1 from deploys where id = :id", id=deploy.id
    )
    if taken is not None:
        deploy = msgspec.structs.replace(deploy, id=make_id())
    insert_row(connection, deploy)
    settle(connection, deploy.project_id, deploy.service, deploy.env, deploy.recorded_at)
    insert_commits(connection, deploy, exported.commits)
    copies.add(exported.deploy.id, deploy.id)
    return Recorded(deploy.id, is_new=True)


def _find_exported(connection: Connection, deploy: Deploy, copies: Copies) -> int | None:
    """The same deploy here: by either id, else by place, revision and time."""
    same_id = scalar(
        connection,
        """/* deploys.find_exported */ select id from deploys
        where project_id = :project_id and id = :id
        union all
        select id from deploys
        where project_id = :project_id and external_id = :external_id
        limit 1""",
        project_id=deploy.project_id,
        id=deploy.id,
        external_id=deploy.external_id,
    )
    if same_id is not None:
        return int(same_id)
    twins = connection.execute(
        """/* deploys.find_alike */ select id from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and deployed_at = :deployed_at
            and coalesce(version, '') = coalesce(:version, '')
            and coalesce(external_id, '') = coalesce(:external_id, '')
        order by id""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "git_sha": deploy.git_sha,
            "deployed_at": deploy.deployed_at,
            "version": deploy.version,
            "external_id": deploy.external_id,
        },
    )
    return next((int(twin[0]) for twin in twins if not copies.is_taken(twin[0])), None)


@contextmanager
def rehearse(path: Path, project_id: int, now: int) -> Iterator[Connection]:
    """A database that holds only this project's deploys, to try an import on; gone at the end.

    So a trial sees what the import would see, however long it takes, and holds no lock on `path`.
    """
    with TemporaryDirectory(prefix="miniapm-") as directory:
        copy = Path(directory) / "trial.db"
        connection = open_connection(copy, create=True)
        try:
            migrate(connection, copy, now)
            _copy_deploys(connection, path, project_id)
            connection.execute("begin")
            yield connection
        finally:
            connection.close()


_COPIED: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("projects", "id"),
    ("deploys", "project_id"),
    ("deploy_tags", "project_id"),
    ("deploy_ids", "project_id"),
    ("deploy_commits", "project_id"),
    ("pushed_commits", "project_id"),
)


def _copy_deploys(connection: Connection, path: Path, project_id: int) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "/* trial.attach */ attach database :path as live",
        {"path": f"{path.absolute().as_uri()}?mode=ro"},
    )
    connection.execute("begin")
    for table, column in _COPIED:
        connection.execute(
            f"""/* trial.copy */ insert into main.{table}
            select * from live.{table} where {column} = :project_id""",
            {"project_id": project_id},
        )
    connection.execute("commit")
    connection.execute("/* trial.detach */ detach database live")
