"""Who served around a deploy: its own version and the others of its service and env.

Telemetry knows versions, not instances: what still serves of an old one may be one machine or many.
"""

from collections.abc import Collection

import msgspec

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ranges import Tile, TimeRange, range_between, tile
from miniapm.domain.releases import is_named, is_same, label_deploy, label_release
from miniapm.domain.spans.values import ALL_ENDPOINTS, ReleaseName
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.surroundings import find_live_of_commit, find_next_live
from miniapm.storage.in_lists import bind_list
from miniapm.storage.releases import Release, find_releases
from miniapm.storage.rollups.series import find_release_shares

BEFORE_US = HOUR
AFTER_US = 3 * HOUR
STRAGGLE_AFTER_US = 10 * MINUTE
_STRAGGLE_FOR_US = DAY
_POINTS = 60
# a version that was seen so long before its deploy was no part of it
_SEEN_EARLY_US = HOUR


class Straggler(msgspec.Struct, frozen=True):
    """Another version that served `count` requests STRAGGLE_AFTER_US after a deploy or later."""

    release: Release
    count: int


class Traffic(msgspec.Struct, frozen=True):
    """What telemetry tells around a deploy. Instants in µs.

    `releases` are those of its service and env, `own` the ids of its own version's. One that did
    not go live has none where another deploy brought that version: `brought_by`. `counts` are
    requests by release id and step of `time_range`. `first_seen_at` says when its version was seen
    first; `served_since` the first minute in which it served after the deploy, where it had been
    seen long before. `late_count` is what all releases served from STRAGGLE_AFTER_US on, for
    as long as old versions are looked for and no other one went live.
    """

    releases: tuple[Release, ...]
    own: frozenset[int]
    brought_by: Deploy | None
    time_range: TimeRange
    counts: dict[int, list[int]]
    first_seen_at: int | None
    served_since: int | None
    stragglers: tuple[Straggler, ...]
    late_count: int

    @property
    def is_named(self) -> bool:
        """Whether telemetry says which version it is of, at all."""
        return any(is_named(_name(release)) for release in self.releases)


def find_traffic(connection: Connection, deploy: Deploy, now: int) -> Traffic | None:
    """None where nothing is known of the service in the env."""
    releases = find_releases(connection, deploy.project_id, deploy.env, deploy.service)
    if not releases:
        return None
    at = deploy.deployed_at
    until = min(at + AFTER_US, max(now, at + BEFORE_US))
    time_range = range_between(at - BEFORE_US, until, now).coarser(_POINTS)
    brought_by = None if deploy.status == "succeeded" else find_live_of_commit(connection, deploy)
    label = label_deploy(deploy.git_sha, deploy.version)
    own = frozenset(
        release.id
        for release in releases
        if brought_by is None
        and (release.deploy_id == deploy.id or is_same(label, label_release(_name(release))))
    )
    first_seen_at = min((r.first_seen_at for r in releases if r.id in own), default=None)
    following = find_next_live(connection, deploy)
    late_until = min(now, at + _STRAGGLE_FOR_US)
    if following is not None:
        late_until = min(late_until, following.deployed_at)
    late = _count(connection, deploy.project_id, releases, at + STRAGGLE_AFTER_US, late_until)
    return Traffic(
        releases=tuple(releases),
        own=own,
        brought_by=brought_by,
        time_range=time_range,
        counts=find_release_shares(
            connection, deploy.project_id, deploy.service, deploy.env, time_range
        ),
        first_seen_at=first_seen_at,
        served_since=(
            _find_first_minute(connection, deploy, own, now)
            if first_seen_at is not None and first_seen_at < at - _SEEN_EARLY_US
            else None
        ),
        stragglers=tuple(
            Straggler(release, late[release.id])
            for release in releases
            if release.id in late and release.id not in own and is_named(_name(release))
        ),
        late_count=sum(late.values()),
    )


def _name(release: Release) -> ReleaseName:
    return ReleaseName(release.service, release.env, release.version, release.revision)


def _find_first_minute(
    connection: Connection, deploy: Deploy, own: Collection[int], now: int
) -> int | None:
    """The first minute that began after the deploy in which its version served, within a day."""
    names, values = bind_list("r", sorted(own))
    found = scalar(
        connection,
        f"""/* rollups.find_first_minute */ select started_at from rollups
        where project_id = :project_id and resolution = 1 and endpoint_id = :endpoint_id
            and started_at >= :since and started_at < :until
            and release_id in ({names})
        order by started_at limit 1""",
        project_id=deploy.project_id,
        endpoint_id=ALL_ENDPOINTS,
        since=deploy.deployed_at,
        until=min(now, deploy.deployed_at + DAY),
        **values,
    )
    return None if found is None else int(found)


def _count(
    connection: Connection, project_id: int, releases: Collection[Release], since: int, until: int
) -> dict[int, int]:
    """Requests by release in the whole minutes of since <= t < until."""
    wanted = {release.id for release in releases}
    counts: dict[int, int] = {}
    for part in tile(since + -since % MINUTE, until - until % MINUTE):
        for release_id, count in _find_counts(connection, project_id, part):
            if release_id in wanted:
                counts[release_id] = counts.get(release_id, 0) + count
    return counts


def _find_counts(connection: Connection, project_id: int, part: Tile) -> list[tuple[int, int]]:
    return connection.execute(
        """/* rollups.count_by_release */ select release_id, sum(count) from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id = :endpoint_id and started_at >= :since and started_at < :until
        group by release_id""",
        {
            "project_id": project_id,
            "resolution": part.resolution,
            "endpoint_id": ALL_ENDPOINTS,
            "since": part.begin,
            "until": part.end,
        },
    ).fetchall()
