"""A deploy written out to be read in again, field for field.

Only a line that carries the mark may say what no sender can: that a deploy timed out or is hidden,
who announced it, when it was recorded, that a person overruled what became of it. Its deploys have
been judged once; judging them again would merge what somebody told apart. A line without the mark
is a sender's word and judged as such.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from miniapm.domain.deploys.explaining import explain, summarise
from miniapm.domain.deploys.lifecycle import open_deploy
from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.shown import to_commit_fields, to_recorded_fields
from miniapm.domain.deploys.texts import clean_text
from miniapm.domain.deploys.values import Announcement, Commit, Deploy, Overruled, Source, Status
from miniapm.domain.ids import parse_id
from miniapm.domain.instants import check_range, parse_instant
from miniapm.exceptions import Invalid

MARK = "miniapm"
FORMAT = 1

_Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
_JUDGED = (
    "service",
    "env",
    "git_sha",
    "version",
    "deployer",
    "title",
    "description",
    "tags",
    "url",
    "repository",
    "timestamp",
    "started_at",
)
# sheets write them as text, and say nothing instead of no
_FLAGS = {True: True, False: False, None: False, "true": True, "false": False, "": False}


class ExportedDeploy(msgspec.Struct, frozen=True):
    """A deploy and its commits, as an export holds them."""

    deploy: Deploy
    commits: tuple[Commit, ...] = ()


class _Commit(msgspec.Struct, frozen=True):
    sha: _Text200
    timestamp: str | None = None
    message: str | None = None
    author: str | None = None
    approximate: bool = False


def to_exported(exported: ExportedDeploy, project_slug: str) -> dict[str, Any]:
    """The JSON object of one line."""
    return {
        MARK: FORMAT,
        **to_recorded_fields(exported.deploy, project_slug),
        "commits": [to_commit_fields(commit) for commit in exported.commits],
    }


def is_exported(given: Mapping[str, Any]) -> bool:
    """Whether an export wrote these fields."""
    return given.get(MARK) not in (None, "")


def read_exported(given: Mapping[str, Any], defaults: Defaults, now: int) -> ExportedDeploy:
    """The deploy in `given`, for the project of `defaults`; Invalid names every bad field."""
    problems: dict[str, str] = {}
    if str(given[MARK]) != str(FORMAT):
        problems[MARK] = f"must be {FORMAT}: this miniapm reads no other kind of export"
    read = _Reader(given, now, problems)
    deploy_id = read.id()
    recorded_at = read.instant("recorded_at")
    hidden_at = read.instant("hidden_at")
    sources = read.sources()
    external_id = read.external_id()
    overruled = read.overruled()
    is_left_out = read.flag("is_left_out")
    commits = read.commits()
    announcement: Announcement | None = None
    try:
        announcement = announce(_as_sent(given), defaults, now, source="import")
    except Invalid as error:
        problems = {**error.fields, **problems}
    if problems or announcement is None:
        raise Invalid(summarise(problems), problems)
    status: Status = "timed_out" if given.get("status") == "timed_out" else announcement.status
    deploy = msgspec.structs.replace(
        open_deploy(announcement, deploy_id),
        status=status,
        recorded_at=now if recorded_at is None else recorded_at,
        external_id=external_id,
        started_at=announcement.started_at,
        hidden_at=hidden_at,
        overruled=overruled,
        is_left_out=is_left_out,
        sources=sources or ("import",),
    )
    return ExportedDeploy(deploy, commits)


def _as_sent(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the rules of the way in judge."""
    sent = {name: given.get(name) for name in _JUDGED}
    status = given.get("status")
    # no sender may say so, but our own export does
    return {**sent, "status": "failed" if status == "timed_out" else status}


class _Reader:
    """Reads what only an export says; notes in `problems` what is wrong with it."""

    def __init__(self, given: Mapping[str, Any], now: int, problems: dict[str, str]) -> None:
        self._given = given
        self._now = now
        self._problems = problems

    def id(self) -> int:
        text = self._given.get("id")
        found = parse_id(text) if isinstance(text, str) else None
        if found is None:
            self._problems["id"] = "must be the id of a deploy, as the export wrote it"
        return found or 0

    def instant(self, name: str) -> int | None:
        value = self._given.get(name)
        if value is None or value == "":
            return None
        try:
            if not isinstance(value, str):
                raise ValueError("must be text, as the export wrote it")
            instant = parse_instant(value)
            check_range(instant, self._now)
        except ValueError as error:
            self._problems[name] = str(error)
            return None
        return instant

    def external_id(self) -> str | None:
        value = self._given.get("external_id")
        if value is None or value == "":
            return None
        try:
            text = msgspec.convert(value, _Text200)
            _refuse_controls(text, lines=False)
        except (msgspec.ValidationError, ValueError) as error:
            self._problems["external_id"] = _reason(error)
            return None
        return text

    def overruled(self) -> Overruled | None:
        value = self._given.get("overruled")
        if value in (None, ""):
            return None
        try:
            found: Overruled = msgspec.convert(value, Overruled)
        except msgspec.ValidationError:
            self._problems["overruled"] = f"must be {' or '.join(get_args(Overruled))}, or nothing"
            return None
        return found

    def flag(self, name: str) -> bool:
        value = self._given.get(name)
        if not isinstance(value, bool | str | None) or value not in _FLAGS:
            self._problems[name] = "must be true or false"
            return False
        return _FLAGS[value]

    def sources(self) -> tuple[Source, ...]:
        value = self._given.get("sources")
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        try:
            return msgspec.convert(list(dict.fromkeys(value or ())), tuple[Source, ...])
        except (msgspec.ValidationError, TypeError):
            self._problems["sources"] = "must be a list of where the deploy was announced"
            return ()

    def commits(self) -> tuple[Commit, ...]:
        value = self._given.get("commits")
        if value is None or value == "":
            return ()
        try:
            payloads = msgspec.convert(value, list[_Commit])
            return tuple(_to_commit(payload) for payload in payloads)
        except (msgspec.ValidationError, ValueError) as error:
            self._problems["commits"] = _reason(error)
            return ()


def _to_commit(payload: _Commit) -> Commit:
    at = None if payload.timestamp is None else parse_instant(payload.timestamp)
    _refuse_controls(payload.sha, lines=False)
    _refuse_controls(payload.message or "", lines=True)
    _refuse_controls(payload.author or "", lines=False)
    return Commit(payload.sha, at, payload.message, payload.author, payload.approximate)


def _refuse_controls(text: str, *, lines: bool) -> None:
    bad = clean_text(text, lines=lines)[1]
    if bad is not None:
        raise ValueError(f"holds the control character {bad}")


def _reason(error: Exception) -> str:
    return explain(error) if isinstance(error, msgspec.ValidationError) else str(error)
