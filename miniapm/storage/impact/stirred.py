"""What telemetry has stirred since it was last asked: hours to replay, verdicts to look at again.

Noted in the writing thread with every flush of rollups; taken by the job that judges.
"""

from collections.abc import Iterable
from threading import Lock

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.deploys.values import Lane
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.impact.moments import HOUR_REACH
from miniapm.domain.impact.values import Window
from miniapm.storage.connection import Connection

MOST_KNOWN = 20_000

Minute = tuple[int, int, int]
"""A project, a release of it, and when a minute began in which it served (µs)."""


class Stirred:
    """The hours that are known to be queued, and what was stirred of each lane."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, int], Lane] = {}
        self._known: set[tuple[Lane, int]] = set()
        self._windows: dict[Lane, Window] = {}
        self._lock = Lock()

    def note(self, connection: Connection, minutes: Iterable[Minute]) -> None:
        """Queues the hours whose comparisons these minutes are part of, and widens what `take`
        gives; in the transaction that stores the minutes."""
        spans: dict[tuple[int, int], tuple[int, int]] = {}
        hours: set[tuple[int, int, int]] = set()
        # the moments of an hour are compared with minutes before and after it
        lead, reach = -HOUR_REACH.since, HOUR_REACH.until - HOUR
        for project_id, release_id, at in minutes:
            of = project_id, release_id
            first, last = spans.get(of, (at, at))
            spans[of] = min(first, at), max(last, at)
            first_hour, last_hour = at - reach, at + lead
            for hour in range(first_hour - first_hour % HOUR, last_hour + 1, HOUR):
                hours.add((project_id, release_id, hour))
        for (project_id, release_id), (first, last) in spans.items():
            lane = self._find_lane(connection, project_id, release_id)
            if lane is not None:
                self._widen(lane, Window(first, last + MINUTE))
        for project_id, release_id, hour in hours:
            lane = self._find_lane(connection, project_id, release_id)
            if lane is not None:
                self._queue(connection, lane, hour)

    def note_errors(self, project_id: int, occurrences: Iterable[Occurrence]) -> None:
        """Widens what `take` gives by errors, which are no minutes of any rollup."""
        for one in occurrences:
            at = one.happened_at
            self._widen(Lane(project_id, one.service, one.env), Window(at, at + 1))

    def take(self) -> dict[Lane, Window]:
        """What was stirred since it was last taken; from any thread."""
        with self._lock:
            taken, self._windows = self._windows, {}
        return taken

    def forget_hours(self, hours: Iterable[tuple[Lane, int]]) -> None:
        """These hours are being replayed: what comes from now on queues them again."""
        self._known.difference_update(hours)

    def forget_all(self) -> None:
        """What is known to be queued may not be on disk."""
        self._known.clear()
        self._lanes.clear()

    def _widen(self, lane: Lane, window: Window) -> None:
        with self._lock:
            before = self._windows.get(lane, window)
            self._windows[lane] = Window(
                min(before.since, window.since), max(before.until, window.until)
            )

    def _queue(self, connection: Connection, lane: Lane, hour: int) -> None:
        if (lane, hour) in self._known:
            return
        connection.execute(
            """/* replay_hours.queue */ insert into replay_hours
                (project_id, service, env, hour, times)
            values (:project_id, :service, :env, :hour, 1)
            on conflict (project_id, service, env, hour)
                do update set times = replay_hours.times + 1""",
            {**lane._asdict(), "hour": hour},
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known.add((lane, hour))

    def _find_lane(self, connection: Connection, project_id: int, release_id: int) -> Lane | None:
        lane = self._lanes.get((project_id, release_id))
        if lane is None:
            row = connection.execute(
                """/* releases.lane */ select service, env from releases
                where project_id = :project_id and id = :id""",
                {"project_id": project_id, "id": release_id},
            ).fetchone()
            if row is None:
                return None
            lane = self._lanes[project_id, release_id] = Lane(project_id, row[0], row[1])
        return lane
