"""Making the demonstration: the shop's week goes through the very functions that a server calls, at
the times at which it would have come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from miniapm.clock import SECOND, Clock
from miniapm.domain.demo.decisions import Decision
from miniapm.domain.demo.story import WEEK
from miniapm.domain.demo.values import PRODUCTION
from miniapm.domain.demo.week import CountedMinute, Step, tell_week
from miniapm.domain.errors.reading import parse_errors
from miniapm.domain.ids import IdMaker
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.rollups import RollupKey, Rollups
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import TelemetryDefaults
from miniapm.exceptions import Conflict
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.database import Database, open_database
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.errors.groups import set_state
from miniapm.storage.impact.judge import Rule
from miniapm.storage.impact.watch import ImpactWatch
from miniapm.storage.observed.record import observe_releases
from miniapm.storage.observed.waiting import has_new_releases
from miniapm.storage.projects import check_slug, create_project, find_projects

NAME = "Demo shop"
ACTOR = "demo"
SETTLED = 20 * SECOND
"""So long after its last minute a step is stored, and deploys are looked at."""
_DATA = ("deploys", "releases", "error_groups", "keys")
_DEFAULTS = TelemetryDefaults("web", PRODUCTION)


class Terms(NamedTuple):
    """What the settings say: which versions count, what is masked, how long minutes are kept (µs),
    after how long a deploy is given up (µs)."""

    rule: Rule
    scrubber: Scrubber
    keep: int
    timeout: int


class Made(NamedTuple):
    """What there is to look at now."""

    deploys: int
    requests: int
    traces: int
    errors: int
    regressed: int


async def make_demo(
    path: Path, slug: str, clock: Clock, terms: Terms, begin: Callable[[], None] = lambda: None
) -> Made:
    """A project with the shop's week up to now, every deploy judged; makes the database if there is
    none. `begin` is called before the long part.

    Conflict when there is data in it: nobody wants this among their own. Unavailable while a server
    runs on it.
    """
    now = clock()
    check_slug(slug)
    time = _StoryTime(now - WEEK)
    make_id = IdMaker(time)
    async with open_database(path, time, make_id, readers=1, read_seconds=60.0) as database:
        await database.read(_require_empty, path, slug)
        begin()
        act = Act(ACTOR, time(), make_id)
        project = await database.write(create_project, act, NAME, slug)
        keeping = _Keeping(database, time, make_id, terms, now)
        for step in tell_week(project.id, now):
            await keeping.keep(project.id, step)
        return await database.read(_count, project.id)


class _StoryTime:
    """The time that it is in the story."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


class _Keeping:
    """Stores step by step, and lets every deploy be judged when its time has come."""

    def __init__(
        self, database: Database, time: _StoryTime, make_id: IdMaker, terms: Terms, now: int
    ) -> None:
        self._database = database
        self._now = now
        self._time = time
        self._make_id = make_id
        self._terms = terms
        self._watch = ImpactWatch(
            database, time, make_id, terms.rule, terms.keep, timer=lambda: 0.0
        )

    async def keep(self, project_id: int, step: Step) -> None:
        self._time.at = min(step.until + SETTLED, self._now)
        await self._database.write(self._store, project_id, step)
        await self._watch.look_at_all()

    def _store(self, connection: Connection, project_id: int, step: Step) -> None:
        store = self._database.telemetry
        now = self._time.at
        for announcement in step.announcements:
            record_announcement(connection, announcement, self._make_id(), self._terms.timeout)
        for body in step.bodies:
            telemetry = read_traces(
                body, _DEFAULTS, now, self._terms.scrubber, store.find_compress(project_id)
            )
            store.record_spans(connection, project_id, _DEFAULTS, telemetry)
        for body in step.errors:
            batch = parse_errors(body, _DEFAULTS, now, self._terms.scrubber)
            store.record_errors(connection, project_id, batch.occurrences)
        store.add_minutes(self._name_minutes(connection, project_id, step.minutes))
        store.flush(connection)
        if has_new_releases(connection, now):
            observe_releases(connection, self._make_id, now)
        for decision in step.decisions:
            self._decide(connection, project_id, decision)

    def _name_minutes(
        self, connection: Connection, project_id: int, minutes: Sequence[CountedMinute]
    ) -> Rollups:
        ids = self._database.telemetry.ids
        named = {}
        for release, endpoint, at, rollup in minutes:
            endpoint_id = ids.endpoint(connection, project_id, release.service, endpoint, at)
            release_id = ids.release(connection, project_id, release, at)
            named[RollupKey(project_id, endpoint_id, release_id, at)] = rollup
        return named

    def _decide(self, connection: Connection, project_id: int, decision: Decision) -> None:
        act = Act(decision.actor, self._time.at, self._make_id)
        rows = connection.execute(
            """/* error_groups.find_of_class */ select id from error_groups
            where project_id = :project_id and exception_class = :exception_class""",
            {"project_id": project_id, "exception_class": decision.exception_class},
        ).fetchall()
        for row in rows:
            set_state(connection, act, project_id, row[0], decision.state)


def _require_empty(connection: Connection, path: Path, slug: str) -> None:
    if slug in {project.slug for project in find_projects(connection)}:
        raise Conflict(
            f"There is a project {slug} already in {path.absolute()}. `miniapm projects delete "
            f"{slug}` deletes it; --db PATH names another database."
        )
    for table in _DATA:
        if scalar(connection, f"/* demo.has_data */ select 1 from {table} limit 1") is not None:
            raise Conflict(
                f"The database {path.absolute()} is in use: the demonstration wants one of its "
                "own. --db PATH names a new one."
            )


def _count(connection: Connection, project_id: int) -> Made:
    row = connection.execute(
        """/* demo.count */ select
            (select count(*) from deploys where project_id = :project_id),
            (select sum(count) from rollups
            where project_id = :project_id and resolution = 60 and endpoint_id = 0),
            (select count(*) from entries where project_id = :project_id),
            (select count(*) from error_groups where project_id = :project_id),
            (select count(*) from impacts
            where project_id = :project_id and verdict = 'regressed')""",
        {"project_id": project_id},
    ).fetchone()
    return Made(*row)
