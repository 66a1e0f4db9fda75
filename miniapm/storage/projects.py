"""The SQL of projects."""

import re
import unicodedata

import msgspec

from miniapm.exceptions import Conflict, Invalid, NotFound
from miniapm.storage.connection import Connection

MAX_SLUG = 50


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
