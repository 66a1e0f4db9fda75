"""Of which deploys somebody asks who names one, by its id, its version or its sha."""

from collections.abc import Sequence

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.doctor import Finding
from miniapm.domain.ids import parse_id
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.doctor.deploy import Terms, examine_deploy
from miniapm.storage.doctor.missing import examine_missing, range_of
from miniapm.storage.projects import Project

_MOST = 5


def examine_named(
    connection: Connection, projects: Sequence[Project], name: str, terms: Terms, now: int
) -> list[Finding]:
    """The findings of the deploys that `name` stands for: an id, a version, or a sha or the
    beginning of one. Where there is none, what else is known under the name."""
    found = [deploy for one in projects for deploy in _find_named(connection, one.id, name)]
    if not found:
        return list(examine_missing(connection, projects, name))
    found.sort(key=lambda deploy: (deploy.deployed_at, deploy.id), reverse=True)
    findings = [
        finding
        for deploy in found[:_MOST]
        for finding in examine_deploy(connection, deploy, terms, now)
    ]
    if len(found) > _MOST:
        findings.append(
            Finding(
                "note",
                name,
                f"Of the deploys that {name} stands for, these are the newest {_MOST}.",
                "Name one by its id; `miniapm deploys list` shows them.",
            )
        )
    return findings


def _find_named(connection: Connection, project_id: int, name: str) -> list[Deploy]:
    """The newest deploys of an id, version, sha or beginning of a sha; hidden ones, too."""
    rows = connection.execute(
        f"""/* doctor.find_named */ select {COLUMNS} from deploys
        where project_id = :project_id and (id = :id or version = :name or external_id = :name
            or (git_sha >= :name and git_sha < :past))
        order by deployed_at desc, id desc limit {_MOST + 1}""",
        {"project_id": project_id, "id": parse_id(name) or 0, **range_of(name)},
    ).fetchall()
    return to_deploys(connection, project_id, rows)
