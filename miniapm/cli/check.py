"""`miniapm check`: the gate of a pipeline. Imports no part of the server."""

import os
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import typer

from miniapm.cli.check_result import print_checked
from miniapm.cli.check_waiting import wait_for_verdict
from miniapm.cli.options import bad_flag
from miniapm.cli.progress import Progress
from miniapm.client.asking import Asker
from miniapm.client.ci_variables import read_variables
from miniapm.client.deadline import Deadline
from miniapm.client.deploys import find_previous
from miniapm.client.finding import Wanted
from miniapm.client.impacts import exit_code
from miniapm.client.server import Server
from miniapm.clock import SECOND
from miniapm.domain.durations import parse_duration
from miniapm.exceptions import NotFound, Unavailable

_LATEST = "latest"
_MOST = 24 * 3600


class Until(StrEnum):
    """Which verdict is waited for, with how long that takes at most."""

    PROVISIONAL = "provisional"
    FINAL = "final"


_WAITS = {Until.PROVISIONAL: "15m", Until.FINAL: "75m"}


def check(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[latest]", help="The latest live deploy; meant without it, too."),
    ] = None,
    sha: Annotated[
        str | None, typer.Option("--sha", help="The newest deploy of this commit.")
    ] = None,
    id: Annotated[
        str | None, typer.Option("--id", help="The deploy with this id, miniapm's or your own.")
    ] = None,
    env: Annotated[
        str | None, typer.Option(help="Where it went.", show_default="as `deploy` has it")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="What was deployed.", show_default="as `deploy` has it")
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long to wait at most, such as 90s; 0 asks once.",
            show_default="15m, or 75m until final",
        ),
    ] = None,
    until: Annotated[
        Until, typer.Option(help="Whether a provisional verdict counts.")
    ] = Until.PROVISIONAL,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Stop on not enough data, pending and superseded, too."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Wait for a deploy's verdict; exit 1 when it regressed.

    Needs MINIAPM_URL, and the key in MINIAPM_API_KEY or in a file that MINIAPM_API_KEY_FILE names.
    Without --sha and --id it is the latest live deploy. Environment and service that no flag gives
    are those of the pipeline's variables, as `deploy` reads them, then those that the key stands
    for; where that leaves several, production and the project's own service. A commit that is not
    recorded yet is waited for.

    A provisional verdict comes 12 minutes after the deploy, after 7 when it is a disaster; the
    final one after 62 makes far fewer false alarms.

    Exits 1 when the deploy regressed, and 0 when it is improved, unchanged or withdrawn, when
    another replaced it, when there is not enough data, when miniapm is still learning, when a
    person dismissed the verdict, and when there is none in time. Wrong flags and refused keys exit
    2; a server that is away or a deploy that is not there, 3. Roll back on 1 alone: a gate that
    cannot answer is no reason.

    Example: miniapm check --sha "$GITHUB_SHA" --env production || [ $? -ne 1 ]
    """
    wanted = _read_wanted(which, sha, id, env, service)
    deadline = Deadline(_read_seconds(wait if wait is not None else _WAITS[until]))
    asker = Asker(Server.from_environment(os.environ), deadline)
    progress = Progress(deadline.remaining)
    try:
        checked = wait_for_verdict(asker, wanted, progress, until_final=until is Until.FINAL)
    except NotFound as error:
        raise Unavailable(error.message) from None
    finally:
        progress.end()
    is_wanted = as_json or checked.outcome == "regressed"
    previous = find_previous(asker, checked.deploy) if is_wanted else None
    with suppress(BrokenPipeError):  # nobody reads it, but the pipeline goes by the exit code
        print_checked(checked, previous, strict=strict, as_json=as_json)
    raise typer.Exit(exit_code(checked.outcome, strict=strict))


def _read_wanted(
    which: str | None, sha: str | None, id: str | None, env: str | None, service: str | None
) -> Wanted:
    if which is not None and which != _LATEST:
        raise bad_flag("latest", f"{which!r} is not it; name a commit with --sha, an id with --id")
    flags = {"--sha": sha, "--id": id, "--env": env, "--service": service}
    for flag, value in flags.items():
        if value is not None and not value.strip():
            raise bad_flag(flag, "is blank; leave it out or give it a value")
    named = [name for name in ("--sha", "--id") if flags[name]] + ([_LATEST] if which else [])
    if len(named) > 1:
        raise bad_flag(named[0], f"and {named[1]} are both given; leave one out")
    variables = read_variables(os.environ)
    return Wanted(
        sha=sha.strip() if sha else None,
        id=id.strip() if id else None,
        env=env.strip() if env else None if id else variables.env,
        service=service.strip() if service else None if id else variables.service,
    )


def _read_seconds(text: str) -> float:
    text = text.strip()
    if text in ("0", "0s", "0m"):
        return 0.0
    if text.isdecimal():
        raise bad_flag("--wait", f"has no unit: give {text}m for minutes, {text}s for seconds")
    try:
        seconds = parse_duration(text) / SECOND
    except ValueError:
        raise bad_flag("--wait", "must be a number and a unit, such as 5m or 90s, or 0") from None
    if seconds > _MOST:
        raise bad_flag("--wait", "is longer than a day")
    return seconds
