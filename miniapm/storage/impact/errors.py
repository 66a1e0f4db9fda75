"""Errors that began or came back with a deploy."""

from collections import defaultdict
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.values import ErrorImpact, Window
from miniapm.domain.impact.windows import cut_blocks
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.impact.lanes import find_release_ids, was_heard

FORGOTTEN_AFTER = 30 * DAY
"""An error that was not seen for so long is new again."""
LONGEST_ROLLOUT = 10 * MINUTE
LEAST_EVENTS = 3
LEAST_BLOCKS = 2
MOST_GROUPS = 50


class _Seen(NamedTuple):
    """How often a group occurred since a deploy began, and in how many blocks after it."""

    times: int
    blocks: int


def find_error_impacts(
    connection: Connection, lane: Lane, began: int, after: Window, can_count: bool
) -> list[ErrorImpact]:
    """The groups that occurred from `began` (µs, when the deploy began) to the end of `after` and
    not in the 30 days before, or that were resolved before; the most frequent first.

    `can_count` says whether the look may call the deploy regressed for them.
    """
    heard = _was_heard(connection, lane, began)
    releases = ", ".join(map(str, find_release_ids(connection, lane))) or "null"
    rows = connection.execute(
        f"""/* error_counts.find_minutes */ select group_id, started_at, count from error_counts
        where +project_id = :project_id and resolution = 1
            and started_at >= :since and started_at < :until and +release_id in ({releases})""",
        {"project_id": lane.project_id, "since": began, "until": after.until},
    )
    counts: dict[int, int] = defaultdict(int)
    blocks: dict[int, set[int]] = defaultdict(set)
    windows = cut_blocks(after)
    length = windows[0].until - windows[0].since
    for group_id, started_at, count in rows:
        counts[group_id] += count
        if started_at >= after.since:
            blocks[group_id].add((started_at - after.since) // length)
    found = []
    for group_id in sorted(counts, key=lambda one: -counts[one])[:MOST_GROUPS]:
        seen = _Seen(counts[group_id], len(blocks[group_id]))
        impact = _look_at(
            connection, lane, group_id, began, after, releases, seen, heard, can_count
        )
        if impact is not None:
            found.append(impact)
    return found


def _look_at(
    connection: Connection,
    lane: Lane,
    group_id: int,
    began: int,
    after: Window,
    releases: str,
    seen: _Seen,
    heard: bool,
    can_count: bool,
) -> ErrorImpact | None:
    group = connection.execute(
        """/* error_groups.of_impact */ select exception_class, message, culprit, state,
            regressed_at
        from error_groups where project_id = :project_id and id = :id""",
        {"project_id": lane.project_id, "id": group_id},
    ).fetchone()
    if group is None or group["state"] == "ignored":
        return None
    came_back = group["regressed_at"] is not None and began <= group["regressed_at"] < after.until
    is_new = not _was_seen(connection, lane, group_id, began, releases)
    if not (is_new or came_back):
        return None
    return ErrorImpact(
        group_id=group_id,
        exception_class=group["exception_class"],
        message=group["message"],
        culprit=group["culprit"],
        is_new=is_new,
        count=seen.times,
        blocks=seen.blocks,
        # of a service that was not heard before every error is new: the deploy need not have
        # brought it
        counts=can_count
        and (heard or came_back)
        and seen.times >= LEAST_EVENTS
        and seen.blocks >= LEAST_BLOCKS,
    )


def _was_heard(connection: Connection, lane: Lane, began: int) -> bool:
    """Whether a lane sent anything in the 30 days before, but for the minutes in which a deploy
    that is announced at its end may have served already."""
    before = began - LONGEST_ROLLOUT
    hour = before - before % HOUR
    windows = ((60, Window(began - FORGOTTEN_AFTER, hour)), (1, Window(hour, before)))
    return any(was_heard(connection, lane, resolution, window) for resolution, window in windows)


def _was_seen(connection: Connection, lane: Lane, group_id: int, began: int, releases: str) -> bool:
    """Whether a group occurred in the lane in the 30 days before; the hour of the deploy by its
    minutes."""
    hour = began - began % HOUR
    for resolution, since, until in ((60, began - FORGOTTEN_AFTER, hour), (1, hour, began)):
        found = scalar(
            connection,
            f"""/* error_counts.was_seen */ select 1 from error_counts
            where project_id = :project_id and resolution = :resolution and group_id = :group_id
                and started_at >= :since and started_at < :until and release_id in ({releases})
            limit 1""",
            project_id=lane.project_id,
            resolution=resolution,
            group_id=group_id,
            since=since,
            until=until,
        )
        if found is not None:
            return True
    return False
