"""Which deploy an announcement speaks of, and what becomes of it.

The rules are section 2.1 of the contract. They go by event time, so that events may arrive in any
order: attempts that began and ended one after another give the same deploys. Only what a repeat
swallowed is gone: of two failures within ten minutes whose starts come later, one remains.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from miniapm.domain.deploys.values import (
    ENDS,
    FOLDED_TEXTS,
    NOT_LIVE_ENDS,
    REPEAT_WITHIN,
    SAME_DEPLOY_WITHIN,
    SHA_PREFIX,
    Announcement,
    Deploy,
)

T = TypeVar("T")

_PLACE = frozenset({"git_sha", "env", "service"})


class Match(msgspec.Struct, frozen=True):
    """The deploy meant. A `repeat` holds only if no other version went live in between."""

    deploy: Deploy
    repeat: bool = False


def find_match(a: Announcement, rows: Sequence[Deploy], timeout: int) -> Match | None:
    """The deploy among `rows` that `a` speaks of; None when it is a new one.

    `rows` are deploys of the same project, service and env, of the same sha or (other sources') one
    that begins alike; oldest first, hidden ones included: what a person hid stays hidden when it is
    sent again.
    """
    if a.every_call_counts:
        return _first(Match(r) for r in rows if _is_exact_retry(a, r))
    if a.external_id is None:
        mine = [r for r in rows if a.source in r.sources and _is_same_sha(a, r)]
        known = None if a.stands_alone else _first(r for r in mine if _is_same_event(a, r))
        known = known or _find_started_by(a, mine, timeout)
        if known is not None:
            return Match(known)
        if not a.stands_alone:
            repeated = _first(r for r in reversed(mine) if _is_repeat(a, r))
            if repeated is not None:
                return Match(repeated, repeat=True)
    others = (r for r in reversed(rows) if a.source not in r.sources and _is_same_deploy(a, r))
    other = _first(others)
    return None if other is None else Match(other, repeat=True)


def _find_started_by(a: Announcement, rows: Sequence[Deploy], timeout: int) -> Deploy | None:
    """The open deploy that `a` ends, or the ended one whose start `a` is: the nearest."""
    if a.status in ENDS:
        found = [r for r in reversed(rows) if _is_ended_by(a, r, timeout)]
    else:
        found = [r for r in rows if _is_begun_by(a, r, timeout)]
    # its own version first; a version that one side does not tell may still be the same
    exact = _first(r for r in found if _is_same_version(a, r))
    return exact or _first(r for r in found if None in (a.version, r.version))


def _is_begun_by(a: Announcement, row: Deploy, timeout: int) -> bool:
    if row.status not in ENDS or row.started_at is not None:
        return False
    return 0 <= row.deployed_at - a.at <= timeout


def _is_ended_by(a: Announcement, row: Deploy, timeout: int) -> bool:
    if row.status == "timed_out":
        start = row.started_at if row.started_at is not None else row.deployed_at
        in_time = a.at <= start + timeout
        return start <= a.at and (in_time or a.status in NOT_LIVE_ENDS)
    # an end without a time of its own is of now, whatever the clock of the start's sender said
    return row.status == "started" and (row.deployed_at <= a.at or not a.at_given)


def _is_same_event(a: Announcement, row: Deploy) -> bool:
    """Whether it is the very event, sent again: it must not end what another one has begun."""
    if not a.at_given or not _is_same_version(a, row):
        return False
    if a.status == "started":
        return row.started_at == a.at
    return row.status == a.status and row.deployed_at == a.at


def _is_repeat(a: Announcement, row: Deploy) -> bool:
    if not _is_same_version(a, row) or not _outcomes_agree(a, row):
        return False
    if a.status == "started" and row.started_at is not None and row.status in ENDS:
        # one of several starts of a deploy that has ended since
        if row.started_at - REPEAT_WITHIN < a.at <= row.deployed_at:
            return True
    return abs(row.deployed_at - a.at) < REPEAT_WITHIN


def _outcomes_agree(a: Announcement, row: Deploy) -> bool:
    if a.status == "started":
        return row.status in ("started", "succeeded") or a.at <= row.deployed_at
    if a.status == "succeeded":
        # a start that follows a success is a repeat of it, whichever arrives first
        return row.status in ("started", "succeeded")
    return row.status in NOT_LIVE_ENDS


def _is_same_deploy(a: Announcement, row: Deploy) -> bool:
    """Whether another source has announced it already: the sha, or a prefix of at least seven."""
    if abs(row.deployed_at - a.at) > SAME_DEPLOY_WITHIN:
        return False
    return _is_same_sha(a, row) and (row.status == "started" or _outcomes_agree(a, row))


def _is_same_version(a: Announcement, row: Deploy) -> bool:
    """Where several sources speak, the row's version may be another's; the API's own one wins."""
    if a.version == row.version:
        return True
    return len(row.sources) > 1 and (a.source != "api" or a.version is None)


def _is_same_sha(a: Announcement, row: Deploy) -> bool:
    """Where several sources speak, a prefix will do: one of them may write shorter shas."""
    if a.git_sha == row.git_sha:
        return True
    if row.sources == (a.source,):
        return False
    short, long = sorted((a.git_sha, row.git_sha), key=len)
    return len(short) >= SHA_PREFIX and long.startswith(short)


def _is_exact_retry(a: Announcement, row: Deploy) -> bool:
    return a.at_given and row.git_sha == a.git_sha and row.deployed_at == a.at


def fold(row: Deploy, a: Announcement) -> Deploy:
    """`row` after `a`: equal to `row` when it said nothing new.

    The same external id, or the API over another source, overwrites what it gives; anything else
    fills what was empty.
    """
    same_id = a.external_id is not None and a.external_id == row.external_id
    overwrite = same_id or (a.source == "api" and "api" not in row.sources)
    changes: dict[str, object] = {}
    for name in FOLDED_TEXTS:
        value = getattr(a, name)
        if value is not None and (overwrite or getattr(row, name) is None):
            changes[name] = value
    if a.tags and (overwrite or not row.tags):
        changes["tags"] = a.tags
    if row.external_id is None and a.external_id is not None:
        changes["external_id"] = a.external_id
    if same_id:
        changes |= {name: getattr(a, name) for name in _PLACE & a.given}
    elif overwrite and len(a.git_sha) > len(row.git_sha):
        changes["git_sha"] = a.git_sha
    if a.source not in row.sources:
        changes["sources"] = (*row.sources, a.source)
    folded = msgspec.structs.replace(row, **changes, **_fold_status(row, a, same_id, overwrite))
    if folded == row:
        return row
    return msgspec.structs.replace(folded, updated_at=max(a.received_at, row.updated_at + 1))


def _fold_status(row: Deploy, a: Announcement, same_id: bool, overwrite: bool) -> dict[str, object]:
    """Status and times by event time: an end beats `started`, the later end beats the earlier."""
    if a.status == "started":
        return _fold_start(row, a.at)
    if row.status in ("started", "timed_out"):
        begun = row.deployed_at if row.status == "started" else row.started_at
        if begun is not None and begun > a.at:
            # a start after this end began something else, unless only the clocks disagree
            begun = None if a.at_given else a.at
        started_at = begun if a.started_at is None else a.started_at
        return {"status": a.status, "deployed_at": a.at, "started_at": started_at}
    changes: dict[str, object] = {}
    if same_id and a.status != row.status and "status" in a.given:
        if a.at < row.deployed_at:
            return {}
        changes = {"status": a.status, "deployed_at": a.at}
    elif overwrite and a.at_given:
        changes = {"deployed_at": a.at}
    end = a.at if changes else row.deployed_at
    starts = (a.started_at, row.started_at) if overwrite else (row.started_at, a.started_at)
    return {**changes, "started_at": _first(s for s in starts if s is not None and s <= end)}


def _fold_start(row: Deploy, start: int) -> dict[str, object]:
    if row.status == "started":
        return {"deployed_at": start, "started_at": start} if start < row.deployed_at else {}
    if start > row.deployed_at or (row.started_at is not None and row.started_at <= start):
        return {}
    return {"started_at": start}


def open_deploy(a: Announcement, deploy_id: int) -> Deploy:
    """The new deploy that `a` announces."""
    return Deploy(
        id=deploy_id,
        project_id=a.project_id,
        service=a.service,
        env=a.env,
        git_sha=a.git_sha,
        status=a.status,
        deployed_at=a.at,
        recorded_at=a.received_at,
        updated_at=a.received_at,
        version=a.version,
        external_id=a.external_id,
        title=a.title,
        description=a.description,
        deployer=a.deployer,
        url=a.url,
        repository=a.repository,
        started_at=a.at if a.status == "started" else a.started_at,
        sources=(a.source,),
        key_id=a.key_id,
        tags=a.tags,
    )


def time_out(row: Deploy, timeout: int, now: int) -> Deploy:
    """A started deploy whose end never came."""
    return msgspec.structs.replace(
        row,
        status="timed_out",
        started_at=row.deployed_at,
        deployed_at=row.deployed_at + timeout,
        updated_at=max(now, row.updated_at + 1),
    )


def _first(items: Iterable[T]) -> T | None:
    return next(iter(items), None)
