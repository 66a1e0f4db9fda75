"""What many commands share: `--db`, `--config` (before or after the command), `--json`, `--yes`.

A command that opens the database declares `db: DatabaseOption = None, config: ConfigOption = None`
and asks `find_database(db, config)` for the path.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from miniapm.config import Config
    from miniapm.config.loading import LoadedConfig


def _remember(
    context: typer.Context, parameter: typer.CallbackParam, value: str | None
) -> str | None:
    """The value given here, else the one given before the command."""
    if value is not None:
        if not value:
            flag = f"--{parameter.name}"
            raise typer.BadParameter("is empty; name a file or leave it out", context, None, flag)
        context.meta[f"miniapm.{parameter.name}"] = value
    found: str | None = context.meta.get(f"miniapm.{parameter.name}")
    return found


DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH",
        callback=_remember,
        help="The database file; also MINIAPM_DB.  [default: ./miniapm.db]",
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        callback=_remember,
        help="The settings file; also MINIAPM_CONFIG.  [default: ./miniapm.toml, if there]",
    ),
]
ProjectOption = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help="Of this one.", show_default="the only one, or default"),
]
ItsProjectOption = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help="Its project.  [default: the only one, or default]"),
]
OnlyProjectOption = Annotated[str | None, typer.Option(metavar="SLUG", help="Of this one only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def make_group(name: str, help_text: str) -> typer.Typer:
    """The Typer of a noun with several commands; takes `--db` and `--config` itself, too."""
    group = typer.Typer(
        name=name, help=help_text, no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )

    @group.callback()
    def take_common_options(db: DatabaseOption = None, config: ConfigOption = None) -> None:
        pass  # `_remember` has noted both for the command that follows

    return group


def bad_flag(flag: str, problem: str) -> typer.BadParameter:
    """The error of a `flag`, or of an argument by its name, whose value is no good."""
    return typer.BadParameter(problem, None, None, flag)


def load_settings(db: str | None, config: str | None, **flags: object) -> "LoadedConfig":
    """The settings in force. `flags` are `section__name=value`; None is not given."""
    from miniapm.config.loading import load_config  # `deploy` has no need of it

    named = {name.replace("__", "."): value for name, value in flags.items()}
    return load_config(
        os.environ,
        file=Path(config) if config else None,
        flags={"storage.path": db, **named},
    )


def find_database(db: str | None, config: str | None) -> Path:
    """Where the database is, by flag, environment, settings file or default."""
    return load_settings(db, config).config.database_path


def find_address(config: "Config") -> str:
    """The address to print: the public one, else where the database's server listens, else would.

    No slash at the end.
    """
    from miniapm.storage.server_lock import find_server_address

    return config.server.public_url or find_server_address(config.database_path) or config.address
