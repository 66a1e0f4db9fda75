"""One deploy to and from its rows; the only place that knows the columns."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from miniapm.domain.deploys.payload import MAX_COMMITS
from miniapm.domain.deploys.values import Commit, Deploy, search_text
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.deploys.versions import count_up
from miniapm.storage.many_rows import insert_rows

COLUMNS = """id, project_id, service, env, git_sha, status, deployed_at, recorded_at, updated_at,
    version, external_id, title, description, deployer, url, repository, started_at, hidden_at,
    overruled, is_left_out, sources, key_id"""


def to_deploy(row: Row, tags: tuple[str, ...] = ()) -> Deploy:
    """`row` holds COLUMNS in their order."""
    *fields, is_left_out, sources, key_id = row
    return Deploy(
        **dict(zip(Deploy.__struct_fields__, fields, strict=False)),
        is_left_out=bool(is_left_out),
        sources=tuple(sources.split(",")),
        key_id=key_id,
        tags=tags,
    )


def to_deploys(connection: Connection, project_id: int, rows: Sequence[Row]) -> list[Deploy]:
    """`rows` as deploys, each with its tags."""
    if not rows:
        return []
    tags = find_tags(connection, project_id, [row["id"] for row in rows])
    return [to_deploy(row, tags.get(row["id"], ())) for row in rows]


def find_tags(
    connection: Connection, project_id: int, deploy_ids: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    """Tags by deploy, in the order in which they were given."""
    tags: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(deploy_ids), 500):
        chunk = deploy_ids[start : start + 500]
        names = ", ".join(f":d{i}" for i in range(len(chunk)))
        found = connection.execute(
            f"""/* deploys.find_tags */ select deploy_id, tag from deploy_tags
            where project_id = :project_id and deploy_id in ({names})
            order by deploy_id, position""",
            {"project_id": project_id, **{f"d{i}": v for i, v in enumerate(chunk)}},
        )
        for deploy_id, tag in found:
            tags[deploy_id] = (*tags.get(deploy_id, ()), tag)
    return tags


def _values(deploy: Deploy) -> dict[str, Any]:
    values = msgspec.structs.asdict(deploy)
    del values["tags"]
    values["sources"] = ",".join(deploy.sources)
    values["search"] = search_text(deploy, deploy.tags)
    return values


_INSERTED = (*(name for name in Deploy.__struct_fields__ if name != "tags"), "search")
_INSERT = f"/* deploys.insert */ insert into deploys ({', '.join(_INSERTED)})"


def insert_row(connection: Connection, deploy: Deploy) -> None:
    insert_many(connection, [deploy])
    if deploy.tags:
        _insert_tags(connection, deploy)


def insert_many(connection: Connection, deploys: Sequence[Deploy]) -> None:
    """New deploys, without their tags."""
    insert_rows(connection, _INSERT, [tuple(_values(deploy).values()) for deploy in deploys])
    count_up(connection, {(deploy.project_id, deploy.service) for deploy in deploys})


def update_row(connection: Connection, deploy: Deploy) -> None:
    """Writes all that can change; the caller has seen that something did."""
    before = scalar(
        connection,
        """/* deploys.service_of */ select service from deploys
        where project_id = :project_id and id = :id""",
        project_id=deploy.project_id,
        id=deploy.id,
    )
    count_up(connection, {(deploy.project_id, service) for service in (before, deploy.service)})
    connection.execute(
        """/* deploys.update */ update deploys set
            service = :service, env = :env, git_sha = :git_sha, status = :status,
            deployed_at = :deployed_at, updated_at = :updated_at, version = :version,
            external_id = :external_id, title = :title, description = :description,
            deployer = :deployer, url = :url, repository = :repository,
            started_at = :started_at, hidden_at = :hidden_at, overruled = :overruled,
            is_left_out = :is_left_out, sources = :sources, key_id = :key_id, search = :search
        where project_id = :project_id and id = :id""",
        _values(deploy),
    )
    connection.execute(
        """/* deploys.delete_tags */ delete from deploy_tags
        where project_id = :project_id and deploy_id = :id""",
        {"project_id": deploy.project_id, "id": deploy.id},
    )
    _insert_tags(connection, deploy)


def _insert_tags(connection: Connection, deploy: Deploy) -> None:
    connection.executemany(
        """/* deploys.insert_tag */ insert into deploy_tags (project_id, deploy_id, position, tag)
        values (:project_id, :deploy_id, :position, :tag)""",
        [
            {
                "project_id": deploy.project_id,
                "deploy_id": deploy.id,
                "position": position,
                "tag": tag,
            }
            for position, tag in enumerate(deploy.tags)
        ],
    )


def insert_commits(connection: Connection, deploy: Deploy, commits: Iterable[Commit]) -> int:
    """Keeps the commits of a deploy; one that is known already stays as it was. How many are new.

    A deploy has `MAX_COMMITS` at most, however often it is announced.
    """
    commits = list(commits)
    if not commits:
        return 0
    project_id, deploy_id = deploy.project_id, deploy.id
    known = scalar(
        connection,
        """/* deploys.count_commits */ select count(*) from deploy_commits
        where project_id = :project_id and deploy_id = :deploy_id""",
        project_id=project_id,
        deploy_id=deploy_id,
    )
    commits = commits[: max(0, MAX_COMMITS - known)]
    inserted = connection.executemany(
        """/* deploys.insert_commit */ insert into deploy_commits
            (project_id, deploy_id, position, sha, message, author, committed_at, is_approximate)
        values (:project_id, :deploy_id, :position, :sha, :message, :author, :committed_at,
            :is_approximate)
        on conflict (project_id, deploy_id, sha) do nothing""",
        [
            {
                "project_id": project_id,
                "deploy_id": deploy_id,
                "position": position,
                "sha": commit.sha,
                "message": commit.message,
                "author": commit.author,
                "committed_at": commit.committed_at,
                "is_approximate": int(commit.is_approximate),
            }
            for position, commit in enumerate(commits)
        ],
    ).rowcount
    count_up(connection, [(project_id, deploy.service)])
    return max(inserted, 0)


def find_commits(connection: Connection, project_id: int, deploy_id: int) -> list[Commit]:
    """The commits of a deploy in the order in which they were sent."""
    rows = connection.execute(
        """/* deploys.find_commits */ select sha, committed_at, message, author,
            is_approximate
        from deploy_commits where project_id = :project_id and deploy_id = :deploy_id
        order by position, sha""",
        {"project_id": project_id, "deploy_id": deploy_id},
    )
    return [
        Commit(sha, committed_at, message, author, is_approximate=bool(is_approximate))
        for sha, committed_at, message, author, is_approximate in rows
    ]
