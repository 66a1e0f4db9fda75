"""The SQL of projects."""

import re
import unicodedata

import msgspec

from miniapm.domain.names import clean_name
from miniapm.exceptions import Conflict, Invalid, NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, scalar

MAX_SLUG = 50
# whose rows belong to a project, those that point at others first; audit stays, and telemetry goes
# in steps (retention/projects.py)
_OWNED = (
    "foreign_gates",
    "foreign_release_deploys",
    "foreign_release_commits",
    "foreign_releases",
    "receiver_deliveries",
    "receivers",
    "pushed_commits",
    "deploy_ids",
    "deploy_tags",
    "deploy_commits",
    "deploy_changes",
    "idempotency",
    "refusals",
    "deploys",
    "deploy_versions",
    "error_counts",
    "error_releases",
    "error_occurrences",
    "error_recent",
    "error_groups",
    "span_dictionaries",
    "webhook_held",
    "webhook_deliveries",
    "webhook_seen",
    "webhooks",
    "badges",
    "memberships",
    "keys",
)


class Project(msgspec.Struct, frozen=True):
    """The unit of ownership."""

    id: int
    slug: str
    name: str
    created_at: int


def slugify(name: str) -> str:
    """Lower case ASCII letters, digits and hyphens from a name; Invalid when none is left."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:MAX_SLUG].strip("-")
    if not slug:
        raise Invalid("A project's name needs a letter or a digit.", {"name": "makes no slug"})
    return slug


def insert_project(connection: Connection, project: Project) -> None:
    """Conflict when the slug is taken."""
    done = connection.execute(
        """/* projects.insert */ insert into projects (id, slug, name, created_at)
        values (:id, :slug, :name, :created_at) on conflict (slug) do nothing""",
        msgspec.structs.asdict(project),
    )
    if done.rowcount == 0:
        raise Conflict(f"There is a project {project.slug} already.")


def find_projects(connection: Connection) -> list[Project]:
    """All projects by name."""
    rows = connection.execute(
        "/* projects.find */ select id, slug, name, created_at from projects order by name, id"
    )
    return [Project(*row) for row in rows]


def get_project(connection: Connection, slug: str) -> Project:
    row = connection.execute(
        """/* projects.get */ select id, slug, name, created_at from projects
        where slug = :slug""",
        {"slug": slug},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no project {slug}.")
    return Project(*row)


def require_project(connection: Connection, project_id: int) -> None:
    """NotFound when the project is gone: keys are remembered for a moment after it."""
    if not has_project(connection, project_id):
        raise NotFound("The project was deleted meanwhile.")


def has_project(connection: Connection, project_id: int) -> bool:
    """Whether a project is there."""
    sql = "/* projects.exists */ select 1 from projects where id = :id"
    return scalar(connection, sql, id=project_id) is not None


def get_known_project(connection: Connection, slug: str) -> Project:
    """As `get_project`, but the error names all projects: for who may see every one."""
    try:
        return get_project(connection, slug)
    except NotFound as error:
        raise NotFound(f"{error.message} There are: {_list_slugs(connection)}.") from None


def choose_project(connection: Connection, slug: str | None) -> Project:
    """The project `slug`; for None the only one, else `default`, else Invalid: it must be named."""
    if slug is not None:
        return get_known_project(connection, slug)
    found = find_projects(connection)
    chosen = found if len(found) == 1 else [p for p in found if p.slug == "default"]
    if not chosen:
        raise Invalid(f"Name the project with --project; there are: {_list_slugs(connection)}.")
    return chosen[0]


def create_project(connection: Connection, act: Act, name: str, slug: str | None = None) -> Project:
    """A new project; its slug is made from the name unless given. Conflict when it is taken."""
    name = clean_name(name, "project")
    project = Project(act.make_id(), check_slug(slug) if slug else slugify(name), name, act.at)
    insert_project(connection, project)
    note(connection, act, project.id, "project.create", project.slug, name)
    return project


def rename_project(
    connection: Connection, act: Act, slug: str, name: str, new_slug: str | None = None
) -> Project:
    """Gives a project another name; its addresses stay unless `new_slug` says otherwise."""
    old = get_known_project(connection, slug)
    chosen = check_slug(new_slug) if new_slug else old.slug
    project = Project(old.id, chosen, clean_name(name, "project"), old.created_at)
    if project.slug != old.slug:
        _refuse_taken(connection, project.slug)
    connection.execute(
        "/* projects.update */ update projects set slug = :slug, name = :name where id = :id",
        {"id": project.id, "slug": project.slug, "name": project.name},
    )
    # keys carry the slug in a running server's memory: this makes it read them again
    connection.execute(
        "/* projects.touch_keys */ update keys set changed_at = :at where project_id = :id",
        {"id": project.id, "at": act.at},
    )
    detail = f"{old.name} ({old.slug}) to {project.name} ({project.slug})"
    note(connection, act, project.id, "project.rename", project.slug, detail)
    return project


def delete_project(connection: Connection, act: Act, slug: str) -> Project:
    """Removes a project and what belongs to it. The audit trail stays; telemetry is more than one
    transaction should delete: `ProjectTelemetry` does, or the next sweep."""
    project = get_project(connection, slug)
    for table in _OWNED:
        connection.execute(
            f"/* projects.delete_{table} */ delete from {table} where project_id = :id",
            {"id": project.id},
        )
    connection.execute(
        "/* projects.delete */ delete from projects where id = :id", {"id": project.id}
    )
    note(connection, act, project.id, "project.delete", project.slug, project.name)
    return project


def count_deploys(connection: Connection, project_id: int) -> int:
    """How many deploys a project has, hidden ones too."""
    sql = "/* projects.count_deploys */ select count(*) from deploys where project_id = :id"
    return int(scalar(connection, sql, id=project_id))


def check_slug(slug: str) -> str:
    """`slug` itself; Invalid unless it is what a slug is."""
    if not slug or slugify(slug) != slug:
        wrong = f"must be 1 to {MAX_SLUG} of a-z, 0-9 and single hyphens, such as web-shop"
        raise Invalid(f"The slug {slug!r} {wrong}.", {"slug": wrong})
    return slug


def _list_slugs(connection: Connection) -> str:
    return ", ".join(project.slug for project in find_projects(connection)) or "none yet"


def _refuse_taken(connection: Connection, slug: str) -> None:
    if slug in {project.slug for project in find_projects(connection)}:
        raise Conflict(f"There is a project {slug} already.")
