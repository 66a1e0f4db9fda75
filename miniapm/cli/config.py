"""`miniapm config`: the settings in force."""

from typing import Annotated

import typer

from miniapm.cli.options import ConfigOption, DatabaseOption, JsonOption, load_settings
from miniapm.cli.output import print_rows
from miniapm.config.documents import render_example


def config_command(
    example: Annotated[
        bool,
        typer.Option("--example", help="Print a settings file with every setting and its default."),
    ] = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show every setting, its value, and where it came from.

    A flag beats the environment, the environment beats the settings file, the file beats the
    default. Secrets are masked.

    Example: miniapm config --example >miniapm.toml
    """
    if example:
        print(render_example(), end="")
        return
    print_rows(
        [
            {"name": one.name, "value": one.shown, "origin": one.origin}
            for one in load_settings(db, config).origins
        ],
        {"name": "SETTING", "value": "VALUE", "origin": "FROM"},
        as_json=as_json,
    )
