"""`miniapm keys`."""

from pathlib import Path
from typing import Annotated

import typer

from miniapm import clock
from miniapm.domain.ids import IdMaker
from miniapm.domain.keys import (
    DEFAULT_SCOPES,
    Key,
    check_scopes,
    display_of,
    hash_secret,
    make_secret,
)

keys_app = typer.Typer(name="keys", help="API keys.", no_args_is_help=True)


@keys_app.command()
def create(
    name: str,
    project: Annotated[str, typer.Option()] = "default",
    db: Annotated[str, typer.Option()] = "miniapm.db",
) -> None:
    from miniapm.storage.connection import read_once, write_once
    from miniapm.storage.keys import insert_key
    from miniapm.storage.projects import get_project

    found = read_once(Path(db), get_project, project)
    secret = make_secret()
    now = clock.now()
    key = Key(
        id=IdMaker(clock.now)(),
        project_id=found.id,
        project_slug=found.slug,
        name=name,
        display=display_of(secret),
        scopes=check_scopes(DEFAULT_SCOPES),
        created_at=now,
    )
    write_once(Path(db), insert_key, key, hash_secret(secret))
    print(secret)
