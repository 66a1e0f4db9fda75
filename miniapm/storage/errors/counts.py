"""How often errors occurred: by minute, ten minutes and hour, and by release."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.rollups import RESOLUTIONS
from miniapm.storage.connection import Connection
from miniapm.storage.in_lists import bind_parts


class Moment(NamedTuple):
    """When an occurrence happened (µs), and in which release."""

    happened_at: int
    release_id: int


class SeenRelease(NamedTuple):
    """A release in which a group was seen. Instants in µs."""

    release_id: int
    first_seen_at: int
    last_seen_at: int
    total: int


def add_counts(
    connection: Connection, project_id: int, group_id: int, moments: Iterable[Moment]
) -> None:
    """Counts occurrences of a group: a few rows, however many they are."""
    counted = Counter((at - at % MINUTE, release_id) for at, release_id in moments)
    group = {"project_id": project_id, "group_id": group_id}
    for resolution in RESOLUTIONS:
        width = resolution * MINUTE
        steps: Counter[tuple[int, int]] = Counter()
        for (minute, release_id), count in counted.items():
            steps[minute - minute % width, release_id] += count
        connection.executemany(
            """/* error_counts.add */ insert into error_counts
                (project_id, resolution, group_id, started_at, release_id, count)
            values (:project_id, :resolution, :group_id, :started_at, :release_id, :count)
            on conflict (project_id, resolution, group_id, started_at, release_id)
                do update set count = error_counts.count + excluded.count""",
            [
                {
                    **group,
                    "resolution": resolution,
                    "started_at": started_at,
                    "release_id": release_id,
                    "count": count,
                }
                for (started_at, release_id), count in steps.items()
            ],
        )


def add_releases(
    connection: Connection, project_id: int, group_id: int, moments: Iterable[Moment]
) -> None:
    """Notes in which releases a group was seen."""
    seen: dict[int, SeenRelease] = {}
    for at, release_id in moments:
        before = seen.get(release_id, SeenRelease(release_id, at, at, 0))
        seen[release_id] = SeenRelease(
            release_id,
            min(before.first_seen_at, at),
            max(before.last_seen_at, at),
            before.total + 1,
        )
    connection.executemany(
        """/* error_releases.add */ insert into error_releases
            (project_id, group_id, release_id, first_seen_at, last_seen_at, count)
        values (:project_id, :group_id, :release_id, :first_seen_at, :last_seen_at, :total)
        on conflict (project_id, group_id, release_id) do update set
            count = error_releases.count + excluded.count,
            first_seen_at = case when excluded.first_seen_at < error_releases.first_seen_at
                then excluded.first_seen_at else error_releases.first_seen_at end,
            last_seen_at = case when excluded.last_seen_at > error_releases.last_seen_at
                then excluded.last_seen_at else error_releases.last_seen_at end""",
        [
            {"project_id": project_id, "group_id": group_id, **release._asdict()}
            for release in seen.values()
        ],
    )


def find_seen_releases(
    connection: Connection, project_id: int, group_id: int, limit: int
) -> list[SeenRelease]:
    """The releases in which a group was seen, the latest first."""
    rows = connection.execute(
        """/* error_releases.find */ select release_id, first_seen_at, last_seen_at, count
        from error_releases where project_id = :project_id and group_id = :group_id
        order by last_seen_at desc, release_id desc limit :limit""",
        {"project_id": project_id, "group_id": group_id, "limit": limit},
    )
    return [SeenRelease(*row) for row in rows]


def find_known_releases(
    connection: Connection, project_id: int, group_id: int, release_ids: Iterable[int]
) -> set[int]:
    """Those of `release_ids` in which the group was seen."""
    rows = connection.execute(
        f"""/* error_releases.find_known */ select release_id from error_releases
        where project_id = :project_id and group_id = :group_id
            and release_id in ({_list(set(release_ids))})""",
        {"project_id": project_id, "group_id": group_id},
    )
    return {row[0] for row in rows}


def sum_counts(
    connection: Connection,
    project_id: int,
    group_ids: Iterable[int],
    steps: range,
    resolution: int,
    release_ids: frozenset[int] | None = None,
) -> dict[int, list[int]]:
    """For each group how often it occurred in each step that begins in `steps` (µs).

    `resolution`, in minutes, is of the rows that are read; a step is a whole number of them.
    `release_ids` counts only in those releases.
    """
    releases = "" if release_ids is None else f" and release_id in ({_list(release_ids)})"
    summed = {group_id: [0] * len(steps) for group_id in group_ids}
    for names, bound in bind_parts("g", list(summed)):
        rows = connection.execute(
            f"""/* error_counts.sum */ select group_id, (started_at - :since) / :step as place,
                sum(count)
            from error_counts
            where project_id = :project_id and resolution = :resolution and group_id in ({names})
                and started_at >= :since and started_at < :until{releases}
            group by group_id, place""",
            {
                "project_id": project_id,
                "resolution": resolution,
                "since": steps.start,
                "until": steps.stop,
                "step": steps.step,
                **bound,
            },
        )
        for group_id, place, count in rows:
            summed[group_id][place] = count
    return summed


def delete_error_counts_before(
    connection: Connection, resolution: int, instant: int, limit: int
) -> int:
    """Deletes at most `limit` rows of a resolution that began before `instant` (µs); gives how
    many that were."""
    return connection.execute(
        """/* error_counts.delete */ delete from error_counts
        where (project_id, resolution, group_id, started_at, release_id) in (
            select project_id, resolution, group_id, started_at, release_id from error_counts
            where resolution = :resolution and started_at < :instant
            order by started_at limit :limit)""",
        {"resolution": resolution, "instant": instant, "limit": limit},
    ).rowcount


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(number)) for number in sorted(ids)) or "null"
