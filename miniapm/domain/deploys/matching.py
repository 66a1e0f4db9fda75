"""Which deploy an announcement speaks of.

The rules are section 2.1 of the contract. They go by event time, so that events may arrive in any
order: attempts that began and ended one after another give the same deploys. Only what a repeat
swallowed is gone: of two failures within ten minutes whose starts come later, one remains.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from miniapm.domain.deploys.values import (
    ENDS,
    NOT_LIVE_ENDS,
    REPEAT_WITHIN,
    SAME_DEPLOY_WITHIN,
    SHA_PREFIX,
    Announcement,
    Deploy,
)

T = TypeVar("T")


class Match(msgspec.Struct, frozen=True):
    """The deploy meant. A `repeat` holds only if no other version went live in between."""

    deploy: Deploy
    repeat: bool = False


def find_match(a: Announcement, rows: Sequence[Deploy], timeout: int) -> Match | None:
    """The deploy among `rows` that `a` speaks of; None when it is a new one.

    `rows` are deploys of the same project, service and env, of the same sha or (other sources') one
    that begins alike; oldest first, hidden ones included: what a person hid stays hidden when it is
    sent again. What only telemetry has shown is not among them.
    """
    rows = [r for r in rows if not r.is_observed]
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


def _first(items: Iterable[T]) -> T | None:
    return next(iter(items), None)
