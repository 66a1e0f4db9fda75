"""Ids of releases and endpoints by their names, remembered by the writing thread.

A cap on each kind of name keeps a hostile or careless sender from flooding the tables and every
page that lists them: what comes after it goes under one name, "other".
"""

from collections import Counter
from typing import NamedTuple, TypeVar

from miniapm.clock import DAY, HOUR, Clock
from miniapm.domain.spans.values import OTHER, ReleaseName
from miniapm.storage.connection import Connection, scalar

K = TypeVar("K")
V = TypeVar("V")

RECENT = 30 * DAY
COUNTED_ANEW = HOUR
_MOST_REMEMBERED = 50_000


class NameCaps(NamedTuple):
    """How many names there may be at a time."""

    services: int = 200
    """Services of a project, and environments of a project."""
    releases: int = 500
    """Versions of one service and environment that were seen of late: deploys go on for ever."""
    endpoints: int = 1000
    """Endpoints of one service."""


class KnownRelease(NamedTuple):
    """Under which id a release is kept, and under which service its endpoints are."""

    id: int
    service: str


class _Taken:
    """What a project's names took up of the caps at an instant, and what came since."""

    def __init__(self, counted_at: int) -> None:
        self.counted_at = counted_at
        self.services: set[str] = set()
        self.envs: set[str] = set()
        self.versions: Counter[tuple[str, str]] = Counter()
        self.endpoints: Counter[str] = Counter()

    def add_release(self, name: ReleaseName) -> None:
        self.services.add(name.service)
        self.envs.add(name.env)
        self.versions[name.service, name.env] += 1


class NameIds:
    """What names have which ids; rows are made for new ones. `clear` after a rollback."""

    def __init__(self, caps: NameCaps, clock: Clock) -> None:
        self._caps = caps
        self._clock = clock
        self._releases: dict[tuple[int, ReleaseName], KnownRelease] = {}
        self._endpoints: dict[tuple[int, str, str], int] = {}
        # counted once and then kept up to date: who floods us must not have them counted each time
        self._taken: dict[int, _Taken] = {}

    def clear(self) -> None:
        """Forgets everything: what was remembered may not be on disk."""
        self._releases.clear()
        self._endpoints.clear()
        self._taken.clear()

    def release(self, connection: Connection, project_id: int, name: ReleaseName, at: int) -> int:
        """The id of a release that was seen at `at` (µs, event time)."""
        return self.find_release(connection, project_id, name, at).id

    def find_release(
        self, connection: Connection, project_id: int, name: ReleaseName, at: int
    ) -> KnownRelease:
        """As `release`, with the service that its endpoints belong to."""
        key = project_id, name
        known = self._releases.get(key)
        if known is None:
            known_id = _find_release(connection, project_id, name)
            if known_id is None:
                name = self._cap_release(connection, project_id, name)
                known_id = _find_release(connection, project_id, name)
            if known_id is None:
                known_id = _insert_release(connection, project_id, name, at, self._clock())
                self._find_taken(connection, project_id).add_release(name)
            known = KnownRelease(known_id, name.service)
            _remember(self._releases, key, known)
        return known

    def endpoint(
        self, connection: Connection, project_id: int, service: str, name: str, at: int
    ) -> int:
        """The id of an endpoint that was called at `at` (µs, event time)."""
        key = project_id, service, name
        known = self._endpoints.get(key)
        if known is None:
            known = _find_endpoint(connection, project_id, service, name)
            if known is None and self._is_full(connection, project_id, service):
                name = OTHER
                known = _find_endpoint(connection, project_id, service, name)
            if known is None:
                known = _insert_endpoint(connection, project_id, service, name, at)
                self._find_taken(connection, project_id).endpoints[service] += 1
            _remember(self._endpoints, key, known)
        return known

    def _cap_release(
        self, connection: Connection, project_id: int, name: ReleaseName
    ) -> ReleaseName:
        """The name under which a new release is kept."""
        taken = self._find_taken(connection, project_id)
        if name.service not in taken.services and len(taken.services) >= self._caps.services:
            name = name._replace(service=OTHER)
        if name.env not in taken.envs and len(taken.envs) >= self._caps.services:
            name = name._replace(env=OTHER)
        if taken.versions[name.service, name.env] >= self._caps.releases:
            name = name._replace(version=OTHER, revision="")
        return name

    def _is_full(self, connection: Connection, project_id: int, service: str) -> bool:
        taken = self._find_taken(connection, project_id)
        return taken.endpoints[service] >= self._caps.endpoints

    def _find_taken(self, connection: Connection, project_id: int) -> _Taken:
        now = self._clock()
        taken = self._taken.get(project_id)
        if taken is None or taken.counted_at < now - COUNTED_ANEW:
            taken = self._taken[project_id] = _count_taken(connection, project_id, now)
        return taken


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= _MOST_REMEMBERED:  # names past a cap are remembered, too
        known.clear()
    known[key] = value


def _find_release(connection: Connection, project_id: int, name: ReleaseName) -> int | None:
    found: int | None = scalar(
        connection,
        """/* releases.find_id */ select id from releases
        where project_id = :project_id and service = :service and env = :env
            and version = :version and revision = :revision""",
        project_id=project_id,
        **name._asdict(),
    )
    return found


def _count_taken(connection: Connection, project_id: int, now: int) -> _Taken:
    taken = _Taken(now)
    for service, env, versions in connection.execute(
        """/* releases.count_names */ select service, env,
            count(case when last_seen_at >= :recent then 1 end) as versions
        from releases where project_id = :project_id group by service, env""",
        {"project_id": project_id, "recent": now - RECENT},
    ):
        taken.services.add(service)
        taken.envs.add(env)
        taken.versions[service, env] = versions
    for service, endpoints in connection.execute(
        """/* endpoints.count_names */ select service, count(*) from endpoints
        where project_id = :project_id group by service""",
        {"project_id": project_id},
    ):
        taken.endpoints[service] = endpoints
    return taken


def _insert_release(
    connection: Connection, project_id: int, name: ReleaseName, at: int, now: int
) -> int:
    release_id = 1 + _last_id(connection, "releases", project_id)
    connection.execute(
        """/* releases.insert */ insert into releases (project_id, id, service, env, version,
            revision, first_seen_at, last_seen_at, recorded_at)
        values (:project_id, :id, :service, :env, :version, :revision, :at, :at, :now)""",
        {"project_id": project_id, "id": release_id, "at": at, "now": now, **name._asdict()},
    )
    return release_id


def _find_endpoint(connection: Connection, project_id: int, service: str, name: str) -> int | None:
    found: int | None = scalar(
        connection,
        """/* endpoints.find_id */ select id from endpoints
        where project_id = :project_id and service = :service and name = :name""",
        project_id=project_id,
        service=service,
        name=name,
    )
    return found


def _insert_endpoint(
    connection: Connection, project_id: int, service: str, name: str, at: int
) -> int:
    endpoint_id = 1 + _last_id(connection, "endpoints", project_id)
    connection.execute(
        """/* endpoints.insert */ insert into endpoints (project_id, id, service, name,
            first_seen_at, last_seen_at)
        values (:project_id, :id, :service, :name, :at, :at)""",
        {
            "project_id": project_id,
            "id": endpoint_id,
            "service": service,
            "name": name,
            "at": at,
        },
    )
    return endpoint_id


def _last_id(connection: Connection, table: str, project_id: int) -> int:
    found = scalar(
        connection,
        f"/* names.last_id */ select max(id) from {table} where project_id = :project_id",
        project_id=project_id,
    )
    return int(found or 0)
