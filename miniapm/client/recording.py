"""`record_deploy`, the one call for deploy scripts written in Python. Light to import.

Whatever goes wrong, the key never stands in a message, and nothing takes longer than ten seconds.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

from miniapm.client.deadline import Deadline
from miniapm.exceptions import Invalid, MiniapmError

LONGEST_SECONDS = 10.0
DEFAULT_SECONDS = 8.0
_STARTING_SECONDS = 0.5  # what Python itself takes of the ten on a small machine


class NotRecorded(MiniapmError):
    """A deploy that `record_deploy(..., raise_errors=True)` could not record; says why."""


def record_deploy(
    git_sha: str | None = None,
    *,
    version: str | None = None,
    env: str | None = None,
    service: str | None = None,
    deployer: str | None = None,
    title: str | None = None,
    description: str | None = None,
    tags: str | Iterable[str] | None = None,
    status: str | None = None,
    timestamp: datetime | str | float | None = None,
    started_at: datetime | str | float | None = None,
    url: str | None = None,
    repository: str | None = None,
    id: str | None = None,
    commits: Iterable[Mapping[str, str]] | None = None,
    idempotency_key: str | None = None,
    server_url: str | None = None,
    api_key: str | None = None,
    timeout: float = DEFAULT_SECONDS,
    raise_errors: bool = False,
) -> bool:
    """Records a deploy and says whether that worked.

    `server_url` and `api_key` default to `MINIAPM_URL` and `MINIAPM_API_KEY`, or to what stands in
    the files that `MINIAPM_URL_FILE` and `MINIAPM_API_KEY_FILE` name; `url` is the deploy's own
    link. Datetimes without a zone are local time. Takes at most `timeout` seconds, never more
    than ten. A deploy must not fail because of its tracker, so nothing is raised: what goes wrong
    is one warning line on stderr and False, unless `raise_errors` asks for `NotRecorded`.
    """
    given = {
        "git_sha": git_sha,
        "version": version,
        "env": env,
        "service": service,
        "deployer": deployer,
        "title": title,
        "description": description,
        "tags": tags,
        "status": status,
        "timestamp": timestamp,
        "started_at": started_at,
        "url": url,
        "repository": repository,
        "id": id,
        "commits": commits,
    }
    try:
        _record(given, idempotency_key, server_url, api_key, timeout)
    except Exception as error:
        problem = error.message if isinstance(error, MiniapmError) else type(error).__name__
        if raise_errors:
            raise NotRecorded(problem) from error
        warn(problem)
        return False
    return True


def warn(problem: str) -> None:
    """One line on stderr that a deploy was not recorded.

    Not through `logging` or `warnings`: a deploy script that silences those would turn a wrong key
    into silence for months, and one that shows them adds lines.
    """
    try:
        print(f"miniapm: warning: deploy not recorded: {problem}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        return  # stderr is closed: there is nobody to tell


def deadline_within(timeout: float) -> Deadline:
    """The deadline of `timeout` seconds from now, nearer where that would pass ten in all."""
    return Deadline(min(timeout, LONGEST_SECONDS - _STARTING_SECONDS))


def check_idempotency_key(key: str | None) -> str | None:
    """The key as it came, or `Invalid`: it travels in a header."""
    if key is None or (key.isascii() and key.isprintable() and 0 < len(key.strip()) <= 200):
        return key
    raise Invalid("idempotency_key must be 1 to 200 printable ASCII characters")


def _record(
    given: Mapping[str, object],
    idempotency_key: str | None,
    server_url: str | None,
    api_key: str | None,
    timeout: float,
) -> None:
    # Only who sends pays for http, ssl and urllib: they are most of what importing would cost.
    from miniapm.client.remote import Sent, explain, send_deploy
    from miniapm.client.server import Server

    deadline = deadline_within(float(timeout))
    if not isinstance(given["git_sha"], str) or not given["git_sha"].strip():
        raise Invalid("git_sha is missing: give the commit that was deployed")
    payload = {name: _as_json(name, value) for name, value in given.items() if value is not None}
    server = Server.from_environment(os.environ, url=server_url, api_key=api_key)
    outcome = send_deploy(server, payload, deadline, check_idempotency_key(idempotency_key))
    if not isinstance(outcome, Sent):
        raise NotRecorded(explain(outcome))


def _as_json(name: str, value: object) -> object:
    """The value as JSON knows it: datetimes as ISO 8601, any iterable as a list."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        value = list(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Invalid(f"{name} cannot be sent as {type(value).__name__}: give text") from None
    return value
