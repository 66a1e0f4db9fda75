"""`miniapm projects`: the units of ownership."""

from typing import Annotated

import typer

from miniapm.cli.audit import make_act
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    YesOption,
    find_database,
    make_group,
)
from miniapm.cli.output import print_rows, tell
from miniapm.cli.prompts import confirm
from miniapm.domain.counts import tell_count
from miniapm.storage.connection import Connection
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import (
    count_deploys,
    create_project,
    delete_project,
    find_projects,
    get_known_project,
    rename_project,
)
from miniapm.storage.retention.projects import ProjectTelemetry
from miniapm.storage.retention.sweep import Sweep, sweep_once

projects = make_group("projects", "Make, list, rename and delete projects.")
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="As `miniapm projects list` shows it.")]
NewSlug = Annotated[
    str | None,
    typer.Option("--slug", metavar="SLUG", help="What addresses call it: a-z, 0-9 and hyphens."),
]


@projects.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    slug: NewSlug = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a project, and print its slug: what addresses and --project call it.

    Example: miniapm projects create "Web shop"
    """
    project = write_once(find_database(db, config), create_project, make_act(), name, slug)
    print(project.slug)
    tell(f"Make a key for it: miniapm keys create NAME --project {project.slug}")


@projects.command("list")
def list_projects(
    as_json: JsonOption = False, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """List the projects by name, with how many deploys each has.

    Example: miniapm projects list --json
    """
    print_rows(
        read_once(find_database(db, config), _find_rows),
        {"slug": "SLUG", "name": "NAME", "deploys": "DEPLOYS", "created_at": "CREATED", "id": "ID"},
        as_json=as_json,
        empty="There is no project; `miniapm projects create NAME` makes one.",
    )


@projects.command()
def rename(
    slug: Slug,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people shall call it.")],
    new_slug: NewSlug = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a project another name.

    Its slug stays, and so do the addresses of its pages. --slug changes both, and the service of
    deploys that name none. Keys work on either way.

    Example: miniapm projects rename default "Web shop"
    """
    project = write_once(
        find_database(db, config), rename_project, make_act(), slug, name, new_slug
    )
    tell(f"The project {project.slug} is now called {project.name}.")


@projects.command()
def delete(
    slug: Slug, yes: YesOption = False, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Delete a project with all its deploys, telemetry and keys. There is no undo.

    Asks first; in scripts, --yes agrees. `miniapm backup` keeps a copy of everything before.

    Example: miniapm projects delete web-shop
    """
    path = find_database(db, config)
    project = read_once(path, get_known_project, slug)
    deploys = read_once(path, count_deploys, project.id)
    count = tell_count(deploys, "deploy")
    confirm(f"Delete the project {slug} ({project.name}) with {count} and all its keys?", yes=yes)
    write_once(path, delete_project, make_act(), slug)
    sweep_once(path, Sweep([ProjectTelemetry(project.id)]))
    tell(f"The project {slug} is deleted.")


def _find_rows(connection: Connection) -> list[dict[str, object]]:
    return [
        {
            "id": project.id,
            "slug": project.slug,
            "name": project.name,
            "deploys": count_deploys(connection, project.id),
            "created_at": project.created_at,
        }
        for project in find_projects(connection)
    ]
