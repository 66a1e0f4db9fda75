"""Which occurrences are kept whole: a storm costs counts alone, and hides no release."""

from collections.abc import Sequence

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.errors.values import Group, Occurrence
from miniapm.storage.connection import Connection
from miniapm.storage.errors.counts import Moment, find_known_releases
from miniapm.storage.errors.occurrences import KEPT_PER_MINUTE


def choose_samples(
    connection: Connection,
    group: Group,
    moments: Sequence[Moment],
    fresh: Sequence[Occurrence],
    now: int,
) -> tuple[Group, Sequence[Occurrence]]:
    """Those of `fresh`, whose `moments` are not counted yet, that are to be kept, and the group
    that knows of it.

    Of each minute only so many are, and the first of each release.
    """
    minute = now // MINUTE
    before = group.sampled_count if group.sampled_minute == minute else 0
    samples = fresh[: max(0, KEPT_PER_MINUTE - before)]
    counted = before + len(samples)
    if len(samples) < len(fresh):
        samples = [*samples, *_find_firsts(connection, group, moments, fresh, len(samples))]
    return msgspec.structs.replace(group, sampled_minute=minute, sampled_count=counted), samples


def _find_firsts(
    connection: Connection,
    group: Group,
    moments: Sequence[Moment],
    fresh: Sequence[Occurrence],
    kept: int,
) -> list[Occurrence]:
    """Of those behind the first `kept`, the first of each release in which the group was not seen
    before."""
    releases = [moment.release_id for moment in moments]
    known = find_known_releases(connection, group.project_id, group.id, releases)
    known.update(releases[:kept])
    firsts: dict[int, Occurrence] = {}
    for release_id, occurrence in zip(releases[kept:], fresh[kept:], strict=True):
        if release_id not in known:
            firsts.setdefault(release_id, occurrence)
    return list(firsts.values())
