"""Recording occurrences: found or made groups, counts, a few samples, and errors that came back.

It runs within the writing transaction and keeps nothing in memory between calls. A group costs the
same however many occurrences of it a call brings.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from miniapm.domain.errors.groups import add_occurrences, find_return, open_group, reopen
from miniapm.domain.errors.values import Group, Occurrence
from miniapm.domain.ids import IdMaker
from miniapm.domain.spans.values import OTHER, ReleaseName
from miniapm.storage.connection import Connection
from miniapm.storage.errors.counts import Moment, add_counts, add_releases
from miniapm.storage.errors.groups import (
    count_groups,
    find_deploy_at,
    find_group,
    insert_group,
    update_group,
)
from miniapm.storage.errors.occurrences import insert_occurrences
from miniapm.storage.errors.repeats import REMEMBERED, Repeats
from miniapm.storage.errors.samples import choose_samples

_OTHER_CLASS = "Other errors"
_OTHER_MESSAGE = "There are too many different errors; those that came after are counted here."


class ReleaseIds(Protocol):
    """Who knows releases by their names."""

    def release(
        self, connection: Connection, project_id: int, name: ReleaseName, at: int
    ) -> int: ...


class ErrorCaps(NamedTuple):
    """How much of errors a project keeps."""

    groups: int = 10_000
    """More are counted in one group named "other" per service."""
    others: int = 100
    """Services that have such a group; the rest shares one."""
    repeats: int = REMEMBERED
    """Occurrences with a span by which one that comes again is told."""


class RecordedError(NamedTuple):
    """Where an occurrence went. `is_new` says that it is the first of its group."""

    group_id: int
    is_new: bool


def record_occurrences(
    connection: Connection,
    ids: ReleaseIds,
    project_id: int,
    occurrences: Sequence[Occurrence],
    make_id: IdMaker,
    now: int,
    caps: ErrorCaps = ErrorCaps(),  # noqa: B008 - a constant value
) -> list[RecordedError]:
    """Counts `occurrences` in their groups; gives for each, in their order, which one that is.

    The same error in the same span counts once, however often it comes.
    """
    recording = _Recording(connection, ids, project_id, make_id, now, caps)
    return recording.record(occurrences)


class _Arrival:
    """A group, and what this call brings to it."""

    __slots__ = ("fresh", "group", "is_new")

    def __init__(self, group: Group, is_new: bool) -> None:
        self.group = group
        self.is_new = is_new
        self.fresh: list[Occurrence] = []


class _Recording:
    """One call."""

    def __init__(
        self,
        connection: Connection,
        ids: ReleaseIds,
        project_id: int,
        make_id: IdMaker,
        now: int,
        caps: ErrorCaps,
    ) -> None:
        self._connection = connection
        self._ids = ids
        self._project_id = project_id
        self._make_id = make_id
        self._now = now
        self._caps = caps
        self._arrivals: dict[tuple[str, str], _Arrival] = {}
        self._group_count: int | None = None

    def record(self, occurrences: Sequence[Occurrence]) -> list[RecordedError]:
        repeats = Repeats(self._connection, self._project_id, self._caps.repeats)
        recorded = []
        for occurrence in occurrences:
            arrival = self._find(occurrence)
            counted_in = repeats.add(occurrence, arrival.group.id)
            if counted_in is not None:
                recorded.append(RecordedError(counted_in, is_new=False))
                continue
            is_first = arrival.is_new and not arrival.fresh
            recorded.append(RecordedError(arrival.group.id, is_first))
            arrival.fresh.append(occurrence)
        repeats.forget_old()
        for arrival in {id(a): a for a in self._arrivals.values()}.values():
            if arrival.fresh:
                self._store(arrival)
        return recorded

    def _find(self, occurrence: Occurrence) -> _Arrival:
        name = occurrence.service, occurrence.fingerprint
        arrival = self._arrivals.get(name)
        if arrival is None:
            arrival = self._arrivals[name] = self._look_up(*name) or self._make(occurrence)
        return arrival

    def _look_up(self, service: str, fingerprint: str) -> _Arrival | None:
        group = find_group(self._connection, self._project_id, service, fingerprint)
        return None if group is None else _Arrival(group, is_new=False)

    def _make(self, first: Occurrence) -> _Arrival:
        if self._group_count is None:
            self._group_count = count_groups(self._connection, self._project_id)
        if self._group_count >= self._caps.groups and first.fingerprint != OTHER:
            service = first.service
            return self._find_other(service) or self._find(_as_other(first, service))
        if self._group_count >= self._caps.groups + self._caps.others and first.service != OTHER:
            return self._find_other(OTHER) or self._find(_as_other(first, OTHER))
        self._group_count += 1
        group = open_group(self._make_id(), self._project_id, first)
        return _Arrival(group, is_new=True)

    def _find_other(self, service: str) -> _Arrival | None:
        return self._arrivals.get((service, OTHER))

    def _store(self, arrival: _Arrival) -> None:
        fresh = arrival.fresh
        moments = [Moment(o.happened_at, self._release_of(o)) for o in fresh]
        group = add_occurrences(arrival.group, fresh)
        if group.exception_class == _OTHER_CLASS:
            group = msgspec.structs.replace(group, message=_OTHER_MESSAGE, culprit="")
        if arrival.is_new or group.first_seen_at < arrival.group.first_seen_at:
            earliest = min(moments, key=lambda moment: moment.happened_at)
            group = msgspec.structs.replace(group, first_release_id=earliest.release_id)
        back = find_return(arrival.group, fresh)
        if back is not None:
            deploy_id = find_deploy_at(
                self._connection, self._project_id, back.service, back.env, back.happened_at
            )
            group = reopen(group, back.happened_at, deploy_id)
        group, samples = choose_samples(self._connection, group, moments, fresh, self._now)
        if back is not None and back not in samples:
            samples = [*samples, back]
        (insert_group if arrival.is_new else update_group)(self._connection, group)
        add_counts(self._connection, self._project_id, group.id, moments)
        add_releases(self._connection, self._project_id, group.id, moments)
        if samples:
            insert_occurrences(self._connection, self._project_id, group.id, samples, self._make_id)

    def _release_of(self, occurrence: Occurrence) -> int:
        name = ReleaseName(
            occurrence.service, occurrence.env, occurrence.version, occurrence.revision
        )
        return self._ids.release(self._connection, self._project_id, name, occurrence.happened_at)


def _as_other(first: Occurrence, service: str) -> Occurrence:
    return msgspec.structs.replace(
        first,
        service=service,
        fingerprint=OTHER,
        exception_class=_OTHER_CLASS,
        message=_OTHER_MESSAGE,
        culprit="",
    )
