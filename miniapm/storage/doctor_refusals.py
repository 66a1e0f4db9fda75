"""What the refused calls tell: most hooks never show anybody that they were refused."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, to_rfc3339
from miniapm.domain.authorization import explain_unknown
from miniapm.storage.connection import Connection
from miniapm.storage.doctor import Finding
from miniapm.storage.keys import find_keys
from miniapm.storage.projects import Project
from miniapm.storage.refusals import KEPT_PER_PROJECT, UNKNOWN_PROJECT, Refusal, find_refusals

_COUNTS = DAY
_FORGOTTEN = 14 * DAY
_SHOWN = 5
_NO_KEY = explain_unknown("")


class _Kind(NamedTuple):
    """Refusals of the same call for the same reason, newest first."""

    refusals: list[Refusal]
    is_settled: bool

    def is_problem(self, now: int) -> bool:
        return self.refusals[0].refused_at > now - _COUNTS and not self.is_settled


def examine_refusals(
    connection: Connection, project: Project, now: int, settings_url: str
) -> list[Finding]:
    """The refused calls of a project; its page at `settings_url` shows them all."""
    accepted = _find_last_accepted(connection, project, now - _FORGOTTEN)
    kinds = _find_kinds(connection, project.id, now, accepted)
    callers = {
        key.id: f"with the key {key.name} ({project.slug})"
        for key in find_keys(connection, project.id)
    }
    return list(_tell(kinds, callers, project.slug, now, settings_url))


def examine_unknown_keys(connection: Connection, now: int, settings_url: str) -> list[Finding]:
    """The calls without a key or with one that nobody knows: they are no project's."""
    kinds = _find_kinds(connection, UNKNOWN_PROJECT, now, {})
    return list(_tell(kinds, {}, "unknown keys", now, settings_url))


def _find_last_accepted(connection: Connection, project: Project, since: int) -> dict[int, int]:
    """When each key last recorded a deploy, for those that did after `since`."""
    rows = connection.execute(
        """/* doctor.find_accepted */ select key_id, max(recorded_at) from deploys
        where project_id = :project_id and updated_at > :since and key_id is not null
        group by key_id""",
        {"project_id": project.id, "since": since},
    )
    return dict(rows.fetchall())


def _find_kinds(
    connection: Connection, project_id: int, now: int, accepted: Mapping[int, int]
) -> list[_Kind]:
    """Those of the last two weeks, the newest first."""
    groups: dict[tuple[str, int, str, int | None], list[Refusal]] = {}
    for one in find_refusals(connection, project_id, KEPT_PER_PROJECT):
        if one.refused_at > now - _FORGOTTEN:
            groups.setdefault((one.route, one.status, one.message, one.key_id), []).append(one)
    return [
        _Kind(group, accepted.get(group[0].key_id or 0, 0) > group[0].refused_at)
        for group in groups.values()
    ]


def _tell(
    kinds: list[_Kind], callers: Mapping[int, str], about: str, now: int, settings_url: str
) -> Iterator[Finding]:
    # what has to be done must not hide behind what is settled
    kinds = sorted(kinds, key=lambda kind: not kind.is_problem(now))
    for kind in kinds[:_SHOWN]:
        last, count = kind.refusals[0], len(kind.refusals)
        times = "once" if count == 1 else f"{count} times"
        yield Finding(
            "problem" if kind.is_problem(now) else "note",
            about,
            f"Calls {_name_caller(last, callers)} were refused {times} ({last.route}, "
            f"{last.status}), last at {to_rfc3339(last.refused_at)}: {_explain(last)}",
            _advise(kind, now),
        )
    left_out = kinds[_SHOWN:]
    if left_out:
        yield Finding(
            "problem" if left_out[0].is_problem(now) else "note",
            about,
            f"Calls were refused for more reasons: and {len(left_out):,} more: {settings_url}",
        )


def _name_caller(refusal: Refusal, callers: Mapping[int, str]) -> str:
    if refusal.key_id is not None:
        return callers.get(refusal.key_id, f"with the key {refusal.key_id}")
    return "without a key" if refusal.message == _NO_KEY else "with a key that nobody knows"


def _explain(refusal: Refusal) -> str:
    if refusal.message == _NO_KEY:
        return "MINIAPM_API_KEY is not set where the hook runs, or is empty."
    return refusal.message


def _advise(kind: _Kind, now: int) -> str:
    if kind.is_settled:
        return "A later call with this key was accepted."
    last = kind.refusals[0]
    advice = [_correct(last)]
    if kind.is_problem(now):
        until = ", or until a call with this key is accepted" if last.key_id is not None else ""
        advice.append(f"This counts for {_COUNTS // HOUR} hours{until}.")
    return " ".join(filter(None, advice))


def _correct(refusal: Refusal) -> str:
    """What to do; the message has said it where one field is wrong."""
    if len(refusal.fields) > 1:
        fields = "; ".join(f"{name} {why}" for name, why in refusal.fields.items())
        return f"Correct what is sent: {fields}."
    if refusal.fields or refusal.message == _NO_KEY:
        return ""
    return _ADVICE.get(refusal.status, "Correct what the sender sends.")


_ADVICE = {
    401: "Look at the key that the sender has: `miniapm keys list` shows how each begins, "
    "`miniapm keys create NAME` makes a new one.",
    403: "Give the sender a key that is valid and has the scope: `miniapm keys list`.",
    409: "Use a new Idempotency-Key for each deploy.",
    413: "Send less in one call; `miniapm config` shows the limits.",
    429: "Send less often.",
}
