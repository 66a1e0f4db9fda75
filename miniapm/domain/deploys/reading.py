"""From bytes to an Announcement: every rule of `POST /ingest/deploys`, every bad field named."""

from collections.abc import Mapping
from typing import Any

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.deploys.explaining import explain, summarise
from miniapm.domain.deploys.payload import ALIASES, MAX_COMMITS, CommitPayload, DeployPayload
from miniapm.domain.deploys.texts import (
    clean_repository,
    clean_text,
    clean_url,
    find_control,
    find_template,
    split_tags,
)
from miniapm.domain.deploys.values import DEFAULT_ENV, Announcement, Commit, Source
from miniapm.domain.instants import check_range, parse_instant
from miniapm.domain.payload_fields import PayloadFields
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

MAX_DESCRIPTION = 10_000
MAX_TITLE = 500
MAX_TAGS = 50
CUT_MARK = " \N{HORIZONTAL ELLIPSIS} [cut]"
CLOCK_SKEW = 5 * MINUTE

_FIELDS = PayloadFields(
    DeployPayload,
    ALIASES,
    free_text=frozenset({"description", "title"}),
    unchecked=frozenset({"tags", "commits"}),
    itemised=frozenset({"commits"}),
)
_NO_TEMPLATES = ("git_sha", "version", "env", "service")


class Defaults(msgspec.Struct, frozen=True):
    """What the key and the project stand for when a payload names nothing."""

    project_id: int
    service: str
    env: str = DEFAULT_ENV
    key_id: int | None = None


def parse_deploy(
    body: bytes | bytearray, defaults: Defaults, now: int, *, stands_alone: bool = False
) -> Announcement:
    """The announcement in `body`; Invalid names every bad field."""
    return announce(decode_object(body), defaults, now, source="api", stands_alone=stands_alone)


def announce(
    given: Mapping[str, Any],
    defaults: Defaults,
    now: int,
    *,
    source: Source,
    stands_alone: bool = False,
    every_call_counts: bool = False,
) -> Announcement:
    """The announcement that decoded fields make, whoever sent them."""
    problems: dict[str, str] = {}
    values = _FIELDS.collect(given, problems)
    payload = _FIELDS.convert(values, problems)
    if "git_sha" not in values and "git_sha" in problems:
        problems["git_sha"] += _FIELDS.name_strangers(given)
    at, started_at = _check_times(values, now, problems)
    tags = _check_tags(values.get("tags"), problems)
    url = _check(clean_url, values, "url", problems)
    repository = _check(clean_repository, values, "repository", problems)
    commits = _check_commits(values.get("commits"), problems)
    for name in _NO_TEMPLATES:
        text = values.get(name)
        if type(text) is str and name not in problems:
            template = find_template(text)
            if template is not None:
                problems[name] = f"holds {template!r}, which was not filled in before sending"
    if problems or payload is None:
        problems = _FIELDS.name_as_written(problems, given)
        raise Invalid(summarise(problems), problems)
    return Announcement(
        project_id=defaults.project_id,
        service=payload.service or defaults.service,
        env=payload.env or defaults.env,
        git_sha=payload.git_sha,
        status=payload.status,
        at=at,
        at_given="timestamp" in values or (payload.status == "started" and at != now),
        received_at=now,
        version=payload.version,
        started_at=started_at,
        external_id=payload.id,
        title=_cut(payload.title, MAX_TITLE),
        description=_cut(payload.description, MAX_DESCRIPTION),
        deployer=payload.deployer,
        url=url,
        repository=repository,
        tags=tags,
        commits=commits,
        source=source,
        key_id=defaults.key_id,
        given=frozenset(values),
        every_call_counts=every_call_counts,
        stands_alone=stands_alone,
    )


def _check_times(
    values: dict[str, Any], now: int, problems: dict[str, str]
) -> tuple[int, int | None]:
    """When it happened, and when it began; a start is its own beginning."""

    def read(name: str) -> int | None:
        value = values.get(name)
        if value is None or name in problems:
            return None
        try:
            instant = parse_instant(value)
            check_range(instant, now)
        except ValueError as error:
            problems[name] = str(error)
            return None
        return instant

    at = read("timestamp")
    started_at = read("started_at")
    if values.get("status") == "started" and at is None and started_at is not None:
        return started_at, None
    end = now if at is None else at
    if started_at is not None and started_at > end and "timestamp" not in problems:
        # a sender whose clock is a little ahead and gave no end has not made a mistake
        if at is None and started_at <= now + CLOCK_SKEW:
            started_at = end
        else:
            problems["started_at"] = "is after the time of the deploy"
    return end, started_at


def _check_tags(value: Any, problems: dict[str, str]) -> tuple[str, ...]:
    if value is None or "tags" in problems:
        return ()
    tags = split_tags(value)
    if len(tags) > MAX_TAGS:
        problems["tags"] = f"are {len(tags)}; at most {MAX_TAGS} are kept"
    elif any(len(tag) > 100 for tag in tags):
        problems["tags"] = "hold one of more than 100 characters"
    elif any(not tag.isprintable() and find_control(tag) for tag in tags):
        problems["tags"] = "hold a control character"
    return tags


def _check(clean: Any, values: dict[str, Any], name: str, problems: dict[str, str]) -> str | None:
    value = values.get(name)
    if not isinstance(value, str) or name in problems:
        return None
    try:
        cleaned: str = clean(value)
    except ValueError as error:
        problems[name] = str(error)
        return None
    return cleaned


def _check_commits(value: Any, problems: dict[str, str]) -> tuple[Commit, ...]:
    if not isinstance(value, list) or "commits" in problems or len(value) > MAX_COMMITS:
        return ()
    commits: dict[str, Commit] = {}
    for index, item in enumerate(value):
        commit = read_commit(item, f"commits[{index}]", problems)
        if commit is not None:
            commits.setdefault(commit.sha, commit)
    return tuple(commits.values())


def read_commit(item: Any, path: str, problems: dict[str, str]) -> Commit | None:
    """One of `commits`; notes under `path` what is wrong with it."""
    try:
        payload = msgspec.convert(item, CommitPayload)
    except msgspec.ValidationError as error:
        problems[path] = explain(error)
        return None
    except UnicodeEncodeError:
        problems[path] = "has a field with a lone surrogate in its name"
        return None
    try:
        at = parse_instant(payload.timestamp)
    except ValueError as error:
        problems[path] = f"timestamp {error}"
        return None
    message, bad = clean_text((payload.message or "").strip(), lines=True)
    sha, author = payload.sha.strip(), (payload.author or "").strip()
    bad = bad or find_control(sha) or find_control(author)
    if bad is not None:
        problems[path] = f"holds the control character {bad}"
    elif not sha:
        problems[path] = "sha must not be blank"
    told = _cut(message or None, MAX_DESCRIPTION)
    return Commit(sha, at, told, author or None, payload.approximate)


def _cut(text: str | None, limit: int) -> str | None:
    if text is None or len(text) <= limit:
        return text
    return text[: limit - len(CUT_MARK)] + CUT_MARK
