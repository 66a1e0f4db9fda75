"""Correcting a deploy: which fields a person may change, checked by the rules of the way in."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.payload import ALIASES
from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.values import ENDS, Announcement, Deploy, Overruled
from miniapm.domain.names import MOST_GUESSES, suggest
from miniapm.exceptions import Invalid
from miniapm.printable import printable

OVERRULED = "overruled"
CORRECTABLE = (
    "git_sha",
    "version",
    "env",
    "service",
    "deployer",
    "title",
    "description",
    "tags",
    "timestamp",
    "started_at",
    "status",
    "url",
    "repository",
    OVERRULED,
)
_NEVER_EMPTY = frozenset({"git_sha", "env", "service", "timestamp", "status"})
_NAMES = {**{name: name for name in CORRECTABLE}, **ALIASES}


def correct_deploy(deploy: Deploy, given: Mapping[str, Any], now: int) -> Deploy:
    """`deploy` with the fields in `given`, as JSON decoded them; null or blank empties a field.

    Ending an open deploy without a `timestamp` ends it at `now`. Invalid names every field that is
    bad, unknown, or may not be empty.
    """
    changed = {_NAMES[name]: value for name, value in given.items() if name in _NAMES}
    emptied = {_NAMES[n] for n, v in given.items() if n in _NAMES and _is_empty(v)}
    problems = _refuse_names(given, emptied) | _refuse_overruling(changed, emptied)
    announcement: Announcement | None = None
    try:
        announcement = announce(
            _as_payload(deploy, given, changed, emptied, now),
            Defaults(deploy.project_id, deploy.service),
            now,
            source="api",
        )
    except Invalid as error:
        problems = {**error.fields, **problems}
    if problems or announcement is None:
        raise Invalid(summarise(problems), problems)
    if not changed:
        return deploy
    # nobody announces what people say later
    told = {n: changed[n] for n in changed if n == OVERRULED and n not in emptied}
    announced = {
        n: _read(n, announcement, emptied) for n in changed if n not in ("timestamp", *told)
    }
    corrected = msgspec.structs.replace(deploy, **announced, **told)
    return _settle_times(corrected, announcement, changed)


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _refuse_names(given: Mapping[str, Any], emptied: set[str]) -> dict[str, str]:
    problems: dict[str, str] = {}
    for name in given:
        if name not in _NAMES:
            shown = printable(name)
            guess = suggest(shown, CORRECTABLE) if len(problems) < MOST_GUESSES else ""
            problems[shown] = f"cannot be changed{guess}"
        elif _NAMES[name] in emptied & _NEVER_EMPTY:
            problems[name] = "cannot be empty"
    return problems


def _refuse_overruling(changed: Mapping[str, Any], emptied: set[str]) -> dict[str, str]:
    if OVERRULED not in changed or OVERRULED in emptied:
        return {}
    words = get_args(Overruled)
    is_known = changed[OVERRULED] in words
    return {} if is_known else {OVERRULED: f"must be {' or '.join(words)}, or null"}


def _as_payload(
    deploy: Deploy,
    given: Mapping[str, Any],
    changed: Mapping[str, Any],
    emptied: set[str],
    now: int,
) -> dict[str, Any]:
    """The deploy as it would be sent whole, so that rules across fields are judged too."""
    status = changed.get("status", deploy.status)
    status = status.strip() if isinstance(status, str) else None
    stored: dict[str, Any] = {"git_sha": deploy.git_sha, "timestamp": deploy.deployed_at}
    if status == "started":
        if "started_at" in changed:
            del stored["timestamp"]
        elif deploy.started_at is not None:
            stored["timestamp"] = deploy.started_at
    else:
        stored["started_at"] = deploy.started_at
        if deploy.status == "started" and status in ENDS:
            stored["timestamp"] = max(now, deploy.deployed_at)
    kept = {name: value for name, value in stored.items() if name not in changed}
    fresh = {n: v for n, v in given.items() if n in _NAMES and _NAMES[n] not in emptied}
    return {**kept, **fresh}


def _read(name: str, announcement: Announcement, emptied: set[str]) -> Any:
    if name in emptied:
        return () if name == "tags" else None
    return getattr(announcement, name)


def _settle_times(
    corrected: Deploy, announcement: Announcement, changed: Mapping[str, Any]
) -> Deploy:
    """The deploy time is the end, or the start of what has not ended; a start has no other."""
    at = announcement.at
    if corrected.status != "started":
        return msgspec.structs.replace(corrected, deployed_at=at)
    if "timestamp" not in changed and announcement.started_at is not None:
        at = announcement.started_at
    return msgspec.structs.replace(corrected, deployed_at=at, started_at=at)
