"""What tags, verdicts and commits say of the deploys of a project."""

from typing import NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.reverts import find_reverts
from miniapm.storage.deploys.versions import find_project_version

_MARK_BYTES = 150


class Marks(NamedTuple):
    """By deploy: the tag that says it failed. And which are tagged as fixes, and which regressed in
    the eyes of the rule and were not dismissed; and the shas that the commits of each take back."""

    failure_tags: dict[int, str]
    fixes: set[int]
    regressed: set[int]
    reverts: dict[int, tuple[str, ...]]


def find_marks(connection: Connection, project_id: int, rules: DeliveryRules) -> Marks:
    """What is known of the whole project, remembered until anything of it changes."""
    key = ("marks", project_id, rules)
    version = find_project_version(connection, project_id)
    found: Marks | None = connection.memory.find(key, version)
    if found is None:
        found = _read_marks(connection, project_id, rules)
        shas = sum(map(len, found.reverts.values()))
        size = _MARK_BYTES * (sum(map(len, found)) + shas)
        connection.memory.keep(key, version, found, size)
    return found


def _read_marks(connection: Connection, project_id: int, rules: DeliveryRules) -> Marks:
    # each is read by an index of its own, which has few of all deploys
    failure_tags: dict[int, str] = {}
    # the first in the settings names the reason
    for tag in reversed(rules.failure_tags):
        failure_tags |= dict.fromkeys(_find_tagged(connection, project_id, tag), tag)
    fixes = {d for tag in rules.fix_tags for d in _find_tagged(connection, project_id, tag)}
    return Marks(
        failure_tags,
        fixes,
        _find_regressed(connection, project_id),
        find_reverts(connection, project_id),
    )


def _find_tagged(connection: Connection, project_id: int, tag: str) -> list[int]:
    rows = connection.execute(
        """/* delivery.find_tagged */ select deploy_id from deploy_tags
        where project_id = :project_id and tag = :tag""",
        {"project_id": project_id, "tag": tag},
    )
    return [row[0] for row in rows]


def _find_regressed(connection: Connection, project_id: int) -> set[int]:
    rows = connection.execute(
        """/* delivery.find_regressed */ select i.deploy_id from impacts i
        left join impact_reviews r on r.project_id = i.project_id
            and r.deploy_id = i.deploy_id and r.decision = 'dismiss'
        where i.project_id = :project_id and i.verdict = 'regressed'
            and i.state in ('provisional', 'final') and r.deploy_id is null""",
        {"project_id": project_id},
    )
    return {row[0] for row in rows}
