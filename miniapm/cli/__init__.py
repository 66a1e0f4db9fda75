"""The command line: one file per noun, each parses, calls and prints.

Exit codes: 0 done, 1 the answer is no, 2 wrong use or refused input, 3 could not reach or open.
A command's module is imported when the command is asked for, so none pays for another's imports.
"""

import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from miniapm import __version__
from miniapm.cli.failures import explain_failure
from miniapm.cli.options import ConfigOption, DatabaseOption
from miniapm.domain.names import find_nearest

# what stands before the colon is imported; what stands behind is a function or a Typer
COMMANDS = {
    "serve": "miniapm.cli.serve:serve",
    "keys": "miniapm.cli.keys:keys",
    "projects": "miniapm.cli.projects:projects",
    "users": "miniapm.cli.users:users",
    "login-link": "miniapm.cli.login_link:login_link",
    "deploy": "miniapm.cli.deploy:deploy",
    "check": "miniapm.cli.check:check",
    "deploys": "miniapm.cli.deploys:deploys",
    "receivers": "miniapm.cli.receivers:receivers",
    "webhooks": "miniapm.cli.webhooks:webhooks",
    "backup": "miniapm.cli.backup:backup",
    "restore": "miniapm.cli.restore:restore",
    "prune": "miniapm.cli.prune:prune",
    "doctor": "miniapm.cli.doctor:doctor",
    "demo": "miniapm.cli.demo:demo",
    "config": "miniapm.cli.config:config_command",
}


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each imported when it is looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module, _, attribute = COMMANDS[name].partition(":")
            self._loaded[name] = _build(name, getattr(importlib.import_module(module), attribute))
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _build(name: str, command: Any) -> Any:
    if isinstance(command, typer.Typer):
        return get_command(command)
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name)(command)
    return get_command(single)


class _Root(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()
        self.suggest_commands = False

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer's, but suggests only what is near: to it, `helo` was `deploy`."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            near = find_nearest(args[0], COMMANDS, cutoff=0.7) if args else None
            if near:
                error.message = f"{error.message} Did you mean {near!r}?"
            raise


app = typer.Typer(
    name="miniapm",
    cls=_Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"miniapm {__version__}")
        raise typer.Exit


@app.callback()
def take_common_options(
    db: DatabaseOption = None,
    config: ConfigOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """The deploy tracker that knows what every deploy did.

    `miniapm serve` runs the server. The other commands look after its database, while it runs or
    while it does not; `deploy` tells a server about a deploy.

    Exit codes: 0 done, 1 the answer is no, 2 wrong use or refused input, 3 could not reach or open.
    """


def command_paths() -> list[tuple[str, ...]]:
    """Every command by its words, such as `("keys", "create")`; nouns stand before their verbs."""
    found: list[tuple[str, ...]] = []
    for name, command in _Commands().items():
        found.append((name,))
        found += [(name, verb) for verb in getattr(command, "commands", {})]
    return found


def main() -> None:
    """Runs the command of `sys.argv`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; an error is one line on stderr."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(list(arguments), prog_name="miniapm", standalone_mode=False)
    except SystemExit:  # Typer's answer to a pipe that whoever read it has closed
        code = 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return explain_failure(error, _find_command(arguments))
    finally:
        _flush()
    return code if isinstance(code, int) else 0


def _find_command(arguments: Sequence[str]) -> str:
    """The words of the command in `arguments`, as far as they name one."""
    words = list(arguments)
    name = next((word for word in words if word in COMMANDS), None)
    if name is None:
        return "miniapm"
    verbs = getattr(_Commands()[name], "commands", {})
    verb = next((word for word in words[words.index(name) + 1 :] if word in verbs), "")
    return f"miniapm {name} {verb}".strip()


def _open_closed_streams() -> None:
    """What was closed before we began (`>&-`) swallows what we print."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _flush() -> None:
    """What cannot be written any more is dropped; it says nothing of how the command went."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
