"""Verdicts as they are stored: one row for each deploy, its evidence packed."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from miniapm.domain.impact.minutes import ImpactMinutes, Strip
from miniapm.domain.impact.values import Impact, State, StoredVerdict, Verdict
from miniapm.domain.spans.compression import compress_plain, decompress
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.versions import count_up
from miniapm.storage.in_lists import bind_list, bind_parts


class Transition(NamedTuple):
    """A state and verdict that a deploy came to, and at which look (minutes)."""

    id: int
    look: int | None
    state: State
    verdict: Verdict
    sentence: str
    changed_at: int


def find_impact(connection: Connection, project_id: int, deploy_id: int) -> Impact | None:
    """The verdict of a deploy with its evidence; None before it was looked at for the first time,
    and for deploys older than telemetry."""
    row = connection.execute(
        """/* impacts.get */ select evidence from impacts
        where project_id = :project_id and deploy_id = :deploy_id""",
        {"project_id": project_id, "deploy_id": deploy_id},
    ).fetchone()
    return None if row is None else _unpack(row[0], Impact)


def find_verdicts(
    connection: Connection, project_id: int, deploy_ids: Sequence[int]
) -> dict[int, StoredVerdict]:
    """The verdicts of some deploys, of those that have one."""
    found: dict[int, StoredVerdict] = {}
    for names, values in bind_parts("d", deploy_ids):
        rows = connection.execute(
            f"""/* impacts.find */ select i.deploy_id, i.state, i.verdict, i.is_learning,
                r.decision, (select c.look from impact_changes c where c.project_id = i.project_id
                    and c.deploy_id = i.deploy_id order by c.id desc limit 1)
            from impacts i left join impact_reviews r on r.deploy_id = i.deploy_id
            where i.project_id = :project_id and i.deploy_id in ({names})""",
            {"project_id": project_id, **values},
        )
        found |= {row[0]: StoredVerdict(row[1], row[2], bool(row[3]), *row[4:]) for row in rows}
    return found


def find_minutes(connection: Connection, project_id: int, deploy_id: int) -> ImpactMinutes | None:
    """The minutes around a deploy as its verdict keeps them; None while it is not judged."""
    row = connection.execute(
        """/* impacts.minutes */ select minutes from impacts
        where project_id = :project_id and deploy_id = :deploy_id""",
        {"project_id": project_id, "deploy_id": deploy_id},
    ).fetchone()
    return None if row is None or row[0] is None else _unpack(row[0], ImpactMinutes)


def find_strips(
    connection: Connection, project_id: int, deploy_ids: Collection[int]
) -> dict[int, Strip]:
    """The small charts of some deploys, of those that have one."""
    names, values = bind_list("d", deploy_ids)
    rows = connection.execute(
        f"""/* impacts.strips */ select deploy_id, strip from impacts
        where project_id = :project_id and deploy_id in ({names}) and strip is not null""",
        {"project_id": project_id, **values},
    )
    return {row[0]: _unpack(row[1], Strip) for row in rows}


def find_transitions(connection: Connection, project_id: int, deploy_id: int) -> list[Transition]:
    """What a deploy's verdict went through, oldest first."""
    rows = connection.execute(
        """/* impact_changes.find */ select id, look, state, verdict, sentence, changed_at
        from impact_changes where project_id = :project_id and deploy_id = :deploy_id
        order by id""",
        {"project_id": project_id, "deploy_id": deploy_id},
    )
    return [Transition(*row) for row in rows]


class Judged(NamedTuple):
    """A verdict to be stored, with what it rests on. `until` is where the minutes that it rests on
    end, `served` the requests and errors in them, `deploy_updated_at` the state of the deploy that
    was judged."""

    impact: Impact
    until: int
    served: int
    deploy_updated_at: int
    minutes: ImpactMinutes | None
    strip: Strip | None


def store_verdict(connection: Connection, project_id: int, judged: Judged, change_id: int) -> bool:
    """Stores a verdict over the one before; says whether it came to another state or verdict, or
    a later look confirmed what is provisional, which is noted under `change_id`."""
    impact = judged.impact
    before = connection.execute(
        """/* impacts.state */ select i.state, i.verdict, i.changed_at,
            (select c.look from impact_changes c where c.project_id = i.project_id
                and c.deploy_id = i.deploy_id order by c.id desc limit 1)
        from impacts i where i.project_id = :project_id and i.deploy_id = :deploy_id""",
        {"project_id": project_id, "deploy_id": impact.deploy_id},
    ).fetchone()
    look = impact.look.minutes if impact.look else None
    changed = before is None or tuple(before[:2]) != (impact.state, impact.verdict)
    changed = changed or (impact.state == "provisional" and look != before[3])
    connection.execute(
        """/* impacts.store */ insert into impacts (deploy_id, project_id, service, env, state,
            verdict, is_learning, since, until, next_look_at, served, deploy_updated_at,
            changed_at, computed_at, evidence, minutes, strip)
        values (:deploy_id, :project_id, :service, :env, :state, :verdict, :is_learning, :since,
            :until, :next_look_at, :served, :deploy_updated_at, :changed_at, :computed_at,
            :evidence, :minutes, :strip)
        on conflict (deploy_id) do update set
            service = excluded.service, env = excluded.env, state = excluded.state,
            verdict = excluded.verdict, is_learning = excluded.is_learning,
            since = excluded.since, until = excluded.until,
            next_look_at = excluded.next_look_at, served = excluded.served,
            deploy_updated_at = excluded.deploy_updated_at, changed_at = excluded.changed_at,
            computed_at = excluded.computed_at, evidence = excluded.evidence,
            minutes = excluded.minutes, strip = excluded.strip""",
        {
            "deploy_id": impact.deploy_id,
            "project_id": project_id,
            "service": impact.service,
            "env": impact.env,
            "state": impact.state,
            "verdict": impact.verdict,
            "is_learning": int(impact.is_learning),
            "since": impact.before.since,
            "until": judged.until,
            "next_look_at": impact.next_look_at,
            "served": judged.served,
            "deploy_updated_at": judged.deploy_updated_at,
            "changed_at": impact.computed_at if changed else before[2],
            "computed_at": impact.computed_at,
            "evidence": _pack(impact),
            "minutes": None if judged.minutes is None else _pack(judged.minutes),
            "strip": None if judged.strip is None else _pack(judged.strip),
        },
    )
    if changed:
        count_up(connection, [(project_id, impact.service)])
        connection.execute(
            """/* impact_changes.insert */ insert into impact_changes
                (id, project_id, deploy_id, look, state, verdict, sentence, changed_at)
            values (:id, :project_id, :deploy_id, :look, :state, :verdict, :sentence, :at)""",
            {
                "id": change_id,
                "project_id": project_id,
                "deploy_id": impact.deploy_id,
                "look": look,
                "state": impact.state,
                "verdict": impact.verdict,
                "sentence": impact.sentence,
                "at": impact.computed_at,
            },
        )
    return changed


T = TypeVar("T")


def _pack(value: object) -> bytes:
    return compress_plain(msgspec.msgpack.encode(value))


def _unpack(blob: bytes, kind: type[T]) -> T:
    return msgspec.msgpack.decode(decompress(blob), type=kind)
