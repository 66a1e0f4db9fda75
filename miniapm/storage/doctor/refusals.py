"""What the refused calls tell: most hooks never show anybody that they were refused."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, to_rfc3339
from miniapm.domain.authorization import KEY_NEEDED, explain_unknown
from miniapm.domain.counts import tell_count
from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection
from miniapm.storage.doctor.callers import ADVICE, Caller, find_callers
from miniapm.storage.projects import Project
from miniapm.storage.refusals import KEPT_PER_PROJECT, UNKNOWN_PROJECT, Refusal, find_refusals

_COUNTS = DAY
# of a caller that nobody knows: no accepted call will ever tell that the mistake is over
_MISTAKE = HOUR
_FORGOTTEN = 14 * DAY
_SHOWN = 5
_NO_KEY = explain_unknown("")


class _Kind(NamedTuple):
    """Refusals of the same call for the same reason, newest first. `caller` is None for one that is
    nobody's."""

    refusals: list[Refusal]
    caller: Caller | None

    @property
    def is_settled(self) -> bool:
        return self.caller is not None and self.caller.accepted_at > self.refusals[0].refused_at

    def is_problem(self, now: int) -> bool:
        latest = self.refusals[0].refused_at
        if latest <= now - _COUNTS or self.is_settled:
            return False
        return self.caller is not None or latest > now - _MISTAKE or self.came_again(now)

    def came_again(self, now: int) -> bool:
        """Whether it goes on: not all of it was one call, sent again and again."""
        recent = [one.refused_at for one in self.refusals if one.refused_at > now - _COUNTS]
        return bool(recent) and recent[0] - recent[-1] >= _MISTAKE


def examine_refusals(
    connection: Connection, project: Project, now: int, settings_url: str
) -> list[Finding]:
    """The refused calls of a project; its page at `settings_url` shows them all."""
    since = now - _FORGOTTEN
    callers = find_callers(connection, project, since)
    kinds = _find_kinds(connection, project.id, since, callers)
    return list(_tell(kinds, project.slug, now, settings_url))


def examine_unknown_keys(connection: Connection, now: int, settings_url: str) -> list[Finding]:
    """The calls without a key or with one that nobody knows: they are no project's."""
    kinds = _find_kinds(connection, UNKNOWN_PROJECT, now - _FORGOTTEN, {})
    return list(_tell(kinds, "unknown keys", now, settings_url))


def _find_kinds(
    connection: Connection, project_id: int, since: int, callers: Mapping[int | str, Caller]
) -> list[_Kind]:
    """Those after `since`, the newest first."""
    groups: dict[tuple[str, int, str, int | None], list[Refusal]] = {}
    for one in find_refusals(connection, project_id, KEPT_PER_PROJECT):
        if one.refused_at > since:
            groups.setdefault((one.route, one.status, one.message, one.key_id), []).append(one)
    return [
        _Kind(group, callers.get(group[0].key_id or group[0].route)) for group in groups.values()
    ]


def _tell(kinds: list[_Kind], about: str, now: int, settings_url: str) -> Iterator[Finding]:
    # what has to be done must not hide behind what is settled
    kinds = sorted(kinds, key=lambda kind: not kind.is_problem(now))
    for kind in kinds[:_SHOWN]:
        last, count = kind.refusals[0], len(kind.refusals)
        times = "once" if count == 1 else f"{count} times"
        yield Finding(
            "problem" if kind.is_problem(now) else "note",
            about,
            f"Calls {_name_caller(kind)} were refused {times} ({last.route}, "
            f"{last.status}), last at {to_rfc3339(last.refused_at)}: {_explain(last)}",
            _advise(kind, now),
        )
    left_out = kinds[_SHOWN:]
    if left_out:
        yield Finding(
            "problem" if left_out[0].is_problem(now) else "note",
            about,
            f"Calls were refused for {tell_count(len(left_out), 'more reason')}.",
            f"All of them: {settings_url}",
        )


def _name_caller(kind: _Kind) -> str:
    refusal = kind.refusals[0]
    if kind.caller is not None:
        return kind.caller.words
    if refusal.key_id is not None:
        return f"with the key {refusal.key_id}"
    if _is_at_no_receiver(refusal):
        return "to an address that no receiver has"
    return "without a key" if _is_without_key(refusal) else "with a key that nobody knows"


def _is_at_no_receiver(refusal: Refusal) -> bool:
    return refusal.route.startswith("/hooks/")


def _is_without_key(refusal: Refusal) -> bool:
    return refusal.message.startswith(KEY_NEEDED)


def _explain(refusal: Refusal) -> str:
    if refusal.message == _NO_KEY:
        return "MINIAPM_API_KEY is not set where the hook runs, or is empty."
    return refusal.message


def _advise(kind: _Kind, now: int) -> str:
    if kind.is_settled:
        return f"A later {kind.caller.means} was accepted." if kind.caller else ""
    advice = [_correct(kind)]
    if kind.is_problem(now):
        advice.append(_tell_how_long(kind, now))
    return " ".join(filter(None, advice))


def _tell_how_long(kind: _Kind, now: int) -> str:
    hours = f"{_COUNTS // HOUR} hours"
    if kind.caller is not None:
        return f"This counts for {hours}, or until a {kind.caller.means} is accepted."
    if kind.came_again(now):
        return f"This counts for {hours}, since it came again after an hour or more."
    return f"This counts for an hour; for {hours} when it comes again after an hour or more."


def _correct(kind: _Kind) -> str:
    """What to do; the message has said it where one field is wrong."""
    refusal = kind.refusals[0]
    if len(refusal.fields) > 1:
        fields = "; ".join(f"{name} {why}" for name, why in refusal.fields.items())
        return f"Correct what is sent: {fields}."
    if refusal.fields or _is_without_key(refusal):
        return ""
    if kind.caller is None and _is_at_no_receiver(refusal):
        return (
            "Look at the address that the webhook has: `miniapm receivers list` shows how each "
            "begins, `miniapm receivers create KIND` makes a new one."
        )
    advice = ADVICE if kind.caller is None else kind.caller.advice
    return advice.get(refusal.status, "Correct what the sender sends.")
