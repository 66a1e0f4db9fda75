"""From bytes to an Announcement: every rule of `POST /ingest/deploys`, every bad field named."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import MINUTE
from miniapm.domain.deploys.texts import (
    clean_repository,
    clean_text,
    clean_url,
    find_template,
    split_tags,
)
from miniapm.domain.deploys.values import DEFAULT_ENV, Announcement, Commit, Source
from miniapm.domain.instants import check_range, parse_instant
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

MAX_DESCRIPTION = 10_000
MAX_TITLE = 500
MAX_TAGS = 50
MAX_COMMITS = 1000
CUT_MARK = " \N{HORIZONTAL ELLIPSIS} [cut]"
CLOCK_SKEW = 5 * MINUTE

Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
Text100 = Annotated[str, Meta(min_length=1, max_length=100)]
Instant = Annotated[
    str | int | float,
    Meta(
        description="ISO 8601 date and time with any offset (none means UTC), "
        "`YYYY-MM-DD HH:MM:SS +0200`, or Unix time in s, ms, µs or ns"
    ),
]
Link = Annotated[str, Meta(min_length=1, max_length=2000)]


class CommitPayload(msgspec.Struct, frozen=True):
    """One commit that the deploy brought."""

    sha: Text200
    timestamp: Instant
    message: str | None = None
    author: Annotated[str, Meta(max_length=200)] | None = None


class DeployPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /ingest/deploys`. Unknown fields are ignored."""

    git_sha: Annotated[str, Meta(min_length=1, max_length=200, description="Git commit SHA")]
    version: Text200 | None = None
    env: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=100,
                description="Also as `environment`. Default: the key's, else `production`",
            ),
        ]
        | None
    ) = None
    service: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=100,
                description="Default: the key's, else the project's slug",
            ),
        ]
        | None
    ) = None
    deployer: Text200 | None = None
    description: Annotated[str, Meta(description="Past 10,000 characters it is cut")] | None = None
    title: Annotated[str, Meta(description="Past 500 characters it is cut")] | None = None
    tags: (
        Annotated[
            str | list[str], Meta(description="Comma separated, or a list; at most 50 of 100")
        ]
        | None
    ) = None
    timestamp: Instant | None = None
    started_at: Instant | None = None
    status: Literal["started", "succeeded", "failed", "cancelled"] = "succeeded"
    url: Link | None = None
    repository: Link | None = None
    id: (
        Annotated[
            str,
            Meta(min_length=1, max_length=200, description="The sender's own id of this deploy"),
        ]
        | None
    ) = None
    commits: Annotated[list[CommitPayload], Meta(max_length=MAX_COMMITS)] | None = None


ALIASES = {"environment": "env", "deployed_at": "timestamp"}
_FIELDS = {field.name: field for field in msgspec.structs.fields(DeployPayload)}
_CANONICAL = {**{name: name for name in _FIELDS}, **ALIASES}
_FREE_TEXT = frozenset({"description", "title"})
_NO_TEMPLATES = ("git_sha", "version", "env", "service")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
    values = _collect(given, problems)
    payload = _convert(values, problems)
    at, started_at = _check_times(values, payload, now, problems)
    tags = _check_tags(payload, problems)
    url = _check(clean_url, values, "url", problems)
    repository = _check(clean_repository, values, "repository", problems)
    commits = _check_commits(values.get("commits"), problems)
    for name in _NO_TEMPLATES:
        template = find_template(values.get(name))
        if template is not None and name not in problems:
            problems[name] = f"holds {template!r}, which was not filled in before sending"
    if problems or payload is None:
        raise Invalid(_summarise(problems), problems)
    return Announcement(
        project_id=defaults.project_id,
        service=payload.service or defaults.service,
        env=payload.env or defaults.env,
        git_sha=payload.git_sha,
        status=payload.status,
        at=at,
        at_given=payload.timestamp is not None,
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


def _collect(given: Mapping[str, Any], problems: dict[str, str]) -> dict[str, Any]:
    """Known fields under their own names: trimmed, without empty ones, aliases folded."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        canonical = _CANONICAL.get(name)
        if canonical is None or value is None:
            continue
        if type(value) is str:
            value = value.strip()
            if not value:
                continue
            if not value.isprintable() and canonical not in ("tags", "commits"):
                value = _check_characters(name, canonical, value, problems)
        if canonical in values and values[canonical] != value:
            other = next(n for n in given if n != name and _CANONICAL.get(n) == canonical)
            problems[name] = f"differs from {other!r}, which means the same"
            problems[other] = f"differs from {name!r}, which means the same"
        values[canonical] = value
    return values


def _check_characters(name: str, canonical: str, value: str, problems: dict[str, str]) -> str:
    cleaned, bad = clean_text(value, lines=canonical in _FREE_TEXT)
    if bad is not None:
        problems[name] = f"holds the control character {bad}"
    return cleaned


def _convert(values: dict[str, Any], problems: dict[str, str]) -> DeployPayload | None:
    """The struct, or None with each bad field explained."""
    try:
        return msgspec.convert(values, DeployPayload)
    except msgspec.ValidationError:
        pass
    for name, field in _FIELDS.items():
        if name in problems:
            continue
        if name not in values:
            if field.required:
                problems[name] = "is required"
            continue
        try:
            msgspec.convert(values[name], field.type)
        except msgspec.ValidationError as error:
            problems[name] = explain(error)
    return None


def explain(error: msgspec.ValidationError) -> str:
    """msgspec's words as the rest of a sentence that begins with the field's name."""
    text = str(error).split(" - at ")[0]
    text = re.sub(r"`str` of length (>=|<=) (\d+)", r"text of \1 \2 characters", text)
    text = text.replace(">=", "at least").replace("<=", "at most").replace("`", "")
    text = text.replace(
        "Invalid enum value", "must be started, succeeded, failed or cancelled, not"
    )
    for name, word in (("array", "a list"), ("object", "an object"), ("str", "text")):
        text = re.sub(rf"\b{name}\b", word, text)
    return text.replace("Expected", "must be").replace(" | null", "")


def _check_times(
    values: dict[str, Any], payload: DeployPayload | None, now: int, problems: dict[str, str]
) -> tuple[int, int | None]:
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
    end = now if at is None else at
    if started_at is not None and started_at > end and "timestamp" not in problems:
        # a sender whose clock is a little ahead and gave no end has not made a mistake
        if at is None and started_at <= now + CLOCK_SKEW:
            started_at = end
        else:
            problems["started_at"] = "is after timestamp"
    return end, started_at


def _check_tags(payload: DeployPayload | None, problems: dict[str, str]) -> tuple[str, ...]:
    if payload is None or payload.tags is None:
        return ()
    tags = split_tags(payload.tags)
    if len(tags) > MAX_TAGS:
        problems["tags"] = f"are {len(tags)}; at most {MAX_TAGS} are kept"
    elif any(len(tag) > 100 for tag in tags):
        problems["tags"] = "hold one of more than 100 characters"
    elif any(_CONTROL.search(tag) for tag in tags):
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
        commit = _check_commit(item, f"commits[{index}]", problems)
        if commit is not None:
            commits.setdefault(commit.sha, commit)
    return tuple(commits.values())


def _check_commit(item: Any, path: str, problems: dict[str, str]) -> Commit | None:
    try:
        payload = msgspec.convert(item, CommitPayload)
        at = parse_instant(payload.timestamp)
    except (msgspec.ValidationError, ValueError) as error:
        problems[path] = (
            explain(error) if isinstance(error, msgspec.ValidationError) else str(error)
        )
        return None
    message, bad = clean_text((payload.message or "").strip(), lines=True)
    sha, author = payload.sha.strip(), (payload.author or "").strip()
    if bad is not None or _CONTROL.search(sha) or _CONTROL.search(author):
        problems[path] = "holds a control character"
    elif not sha:
        problems[path] = "has a blank sha"
    return Commit(sha, at, _cut(message or None, MAX_DESCRIPTION), author or None)


def _cut(text: str | None, limit: int) -> str | None:
    if text is None or len(text) <= limit:
        return text
    return text[: limit - len(CUT_MARK)] + CUT_MARK


def _summarise(problems: Mapping[str, str]) -> str:
    first, *rest = problems.items()
    sentence = f"{first[0]} {first[1]}"
    if rest:
        others = ", ".join(name for name, _ in rest[:5]) + (" ..." if len(rest) > 5 else "")
        return f"{sentence}; also look at {others}."
    return f"{sentence}."
