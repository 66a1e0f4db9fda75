"""`miniapm deploy`: tells the server about a deploy, from hooks. Imports no part of the server."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from miniapm.cli.deploy_payload import Given
from miniapm.cli.deploy_result import Result, preview, print_result, send
from miniapm.cli.options import bad_flag
from miniapm.client.git import public_address
from miniapm.client.recording import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    check_idempotency_key,
    deadline_within,
)
from miniapm.client.remote import Unreachable
from miniapm.exceptions import Invalid


class Status(StrEnum):
    """What became of the deploy."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def deploy(
    sha: Annotated[
        str | None,
        typer.Option(
            "--sha", help="The commit that was deployed, or its tag or branch.", show_default="git"
        ),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Tag or number of the release.")] = None,
    env: Annotated[str | None, typer.Option(help="Where it went, such as production.")] = None,
    service: Annotated[str | None, typer.Option(help="Which part of the project.")] = None,
    deployer: Annotated[str | None, typer.Option(help="Who or what deployed.")] = None,
    title: Annotated[str | None, typer.Option(help="One line for people.")] = None,
    description: Annotated[str | None, typer.Option(help="More for people.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A label; may be repeated.")] = None,
    status: Annotated[
        Status | None, typer.Option(help="What became of it.", show_default="succeeded")
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            help="When, as ISO 8601 or Unix time, UTC unless it says.", show_default="now"
        ),
    ] = None,
    started_at: Annotated[str | None, typer.Option(help="When it began.")] = None,
    url: Annotated[str | None, typer.Option(help="Link to the run or the change.")] = None,
    repository: Annotated[str | None, typer.Option(help="Address of the repository.")] = None,
    id: Annotated[
        str | None, typer.Option("--id", help="Your own id: the same id updates the same deploy.")
    ] = None,
    commits: Annotated[
        bool, typer.Option(help="Send the commits since the previous deploy, for lead time.")
    ] = True,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Makes sending twice safe across calls.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, as JSON; record nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 2 when refused, 3 when the server is away.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=LONGEST_SECONDS, help="Seconds that all of it may take.")
    ] = DEFAULT_SECONDS,
) -> None:
    """Record a deploy, from a hook or a pipeline.

    Needs MINIAPM_URL, and the key in MINIAPM_API_KEY or in a file that MINIAPM_API_KEY_FILE names.
    What no flag gives is taken from the variables of Kamal, Heroku, GitHub Actions and GitLab CI,
    then from git: sha, version, deployer, repository, and the commits since the previous deploy of
    the same service and environment.

    A deploy must not fail because of its tracker: when the server is away or refuses, or a setting
    is missing, this prints one warning and exits 0. Wrong flags exit 2. With --strict, refused
    exits 2 and unreachable 3.

    Kamal: put `miniapm deploy` into .kamal/hooks/post-deploy, and `miniapm deploy --status started`
    into .kamal/hooks/pre-deploy. GitHub Actions: check out with fetch-depth: 0 so that the commits
    are there. Capistrano: run it in the release's directory, or give
    --sha with the value of current_revision.
    """
    deadline = deadline_within(timeout)
    given = Given(
        sha=_not_blank("--sha", sha),
        version=_text(version),
        env=_text(env),
        service=_text(service),
        deployer=_text(deployer),
        title=_text(title),
        description=_text(description),
        tags=tuple(one for one in tag or () if one.strip()),
        status=status.value if status else None,
        timestamp=_instant("--timestamp", timestamp),
        started_at=_instant("--started-at", started_at),
        url=_link("--url", url),
        repository=_repository("--repository", repository),
        id=_text(id),
        commits=commits,
    )
    key = _idempotency_key("--idempotency-key", idempotency_key)
    try:
        result = preview(given, deadline) if dry_run else send(given, key, deadline)
    except Exception as error:  # a bug of ours is no reason to stop somebody's deploy
        result = Result(Unreachable(f"{type(error).__name__} in miniapm deploy, please report it"))
    print_result(result, as_json=as_json)
    raise typer.Exit(result.exit_code if strict else 0)


def _text(value: str | None) -> str | None:
    """Trimmed; blank is not given, as on the server."""
    return (value or "").strip() or None


def _not_blank(flag: str, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise bad_flag(flag, "is blank; leave it out to take the commit from git")
    return _text(value)


def _instant(flag: str, value: str | None) -> str | None:
    """Only the shape: the server knows what it takes."""
    value = _text(value)
    if value and not re.fullmatch(r"\d+(\.\d+)?|\d{4}-?[\dW-]+[T ]\d.*", value, re.IGNORECASE):
        raise bad_flag(flag, "needs a date and a time, such as 2024-01-15T14:30:00Z")
    return value


def _link(flag: str, value: str | None) -> str | None:
    value = _text(value)
    if value and not re.match(r"https?://[^/\s]", value, re.IGNORECASE):
        raise bad_flag(flag, "must begin with http:// or https://")
    return value


def _repository(flag: str, value: str | None) -> str | None:
    value = _text(value)
    if value and not public_address(value):
        raise bad_flag(flag, "must be an http(s) address or git@host:path")
    return value


def _idempotency_key(flag: str, value: str | None) -> str | None:
    try:
        return check_idempotency_key(_text(value))
    except Invalid as error:
        raise bad_flag(flag, error.message) from None
