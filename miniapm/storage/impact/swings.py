"""How the endpoints of a lane swing: learned from two weeks of moments, and kept for some hours."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.moments import HOUR_REACH, STEP
from miniapm.domain.impact.swings import HISTORY_DAYS, History, Swings, learn
from miniapm.domain.impact.values import Window
from miniapm.domain.impact.windows import LOOKS, WARM_UP
from miniapm.domain.spans.compression import compress_plain, decompress
from miniapm.storage.connection import Connection
from miniapm.storage.impact.replays import find_moments

GOOD_FOR = 6 * HOUR
"""Two weeks change little in so long."""
_LEFT_OUT_AFTER = HOUR


class Alarms(NamedTuple):
    """At how many of the moments without a deploy the rule would have called any endpoint of the
    lane regressed."""

    moments: int
    fired: int


class LaneSwings(msgspec.Struct, frozen=True):
    """Of each endpoint by look, and how often the rule would have fired, by look. `until` is the
    hour (µs) before which the moments lie."""

    until: int
    swings: dict[int, dict[int, Swings]]
    alarms: dict[int, Alarms]


def find_swings(connection: Connection, lane: Lane, at: int) -> LaneSwings | None:
    """What was learned of a lane and is good for a deploy at `at` (µs)."""
    latest = _end_before(at)
    row = connection.execute(
        """/* swings.get */ select content from swings
        where project_id = :project_id and service = :service and env = :env
            and until <= :latest and until > :oldest""",
        {**lane._asdict(), "latest": latest, "oldest": latest - GOOD_FOR},
    ).fetchone()
    return None if row is None else msgspec.msgpack.decode(decompress(row[0]), type=LaneSwings)


def learn_histories(
    connection: Connection, lane: Lane, at: int, endpoint_ids: Iterable[int]
) -> dict[int, History]:
    """What the moments of the 14 days before `at` (µs) teach of endpoints of a lane; takes some
    milliseconds an endpoint."""
    until = _end_before(at)
    since = until - HISTORY_DAYS * DAY
    left_out = find_left_out(connection, lane, Window(since, until))
    # one by one: two weeks of all of them are some megabytes
    return {
        endpoint_id: learn(moments, left_out)
        for one in endpoint_ids
        for endpoint_id, moments in find_moments(
            connection, lane, range(since, until, HOUR), [one]
        ).items()
    }


class Learned:
    """What was learned for a deploy at `at` (µs), gathered from some endpoints of a lane at a
    time."""

    def __init__(self, at: int) -> None:
        self._until = _end_before(at)
        self._swings: dict[int, dict[int, Swings]] = {}
        self._there: set[int] = set()
        self._fired: dict[int, set[int]] = {look: set() for look in LOOKS}

    def add(self, histories: Mapping[int, History]) -> None:
        for endpoint_id, history in histories.items():
            self._swings[endpoint_id] = history.swings
            self._there |= history.places
            for look, places in history.fired.items():
                self._fired[look] |= places

    def join(self) -> LaneSwings:
        """Of each endpoint, and how often any of them would have been called."""
        there = len(self._there)
        alarms = {look: Alarms(there, len(places)) for look, places in self._fired.items()}
        return LaneSwings(self._until, self._swings, alarms)


def _end_before(at: int) -> int:
    """The end of the hours whose moments see nothing of what came at `at` and later."""
    end = at - HOUR_REACH.until + HOUR
    return end - end % HOUR


def store_swings(connection: Connection, lane: Lane, learned: LaneSwings, now: int) -> None:
    """Keeps what was learned, over what was before."""
    connection.execute(
        """/* swings.store */ insert into swings
            (project_id, service, env, until, learned_at, content)
        values (:project_id, :service, :env, :until, :now, :content)
        on conflict (project_id, service, env) do update set until = excluded.until,
            learned_at = excluded.learned_at, content = excluded.content""",
        {
            **lane._asdict(),
            "until": learned.until,
            "now": now,
            "content": compress_plain(msgspec.msgpack.encode(learned)),
        },
    )


def find_left_out(connection: Connection, lane: Lane, window: Window) -> set[int]:
    """The places of the moments in `window` that are not moments without a deploy: the hour after
    each, and all that is compared around one that changed something or was dismissed as an
    incident of another kind."""
    reach = WARM_UP + max(LOOKS) * 60 * 1_000_000
    rows = connection.execute(
        """/* deploys.find_left_out */ select d.deployed_at,
            case when i.verdict in ('regressed', 'improved') or r.decision = 'dismiss'
                then 1 else 0 end
        from deploys d
            left join impacts i on i.deploy_id = d.id
            left join impact_reviews r on r.deploy_id = d.id
        where d.project_id = :project_id and d.service = :service and d.env = :env
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
            and d.deployed_at >= :since and d.deployed_at < :until""",
        {
            **lane._asdict(),
            "since": window.since - 2 * reach,
            "until": window.until + 2 * reach,
        },
    )
    places: set[int] = set()
    for at, changed in rows:
        begin = at - reach if changed else at
        end = at + reach + HOUR if changed else at + _LEFT_OUT_AFTER
        first = max(0, -(-(begin - window.since) // STEP))
        last = min((window.until - window.since) // STEP, -(-(end - window.since) // STEP))
        places.update(range(first, last))
    return places
