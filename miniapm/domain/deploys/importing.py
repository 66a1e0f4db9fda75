"""Reading files of deploys: NDJSON here, each other format in a file of its own.

A parser turns bytes into lines, each with its fields or with what is wrong with it: a bad line
never stops those after it. What the fields mean is judged by `read_deploy`, by the rules of the
way in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.exported import ExportedDeploy, is_exported, read_exported
from miniapm.domain.deploys.git_tags import TAG_TABS, parse_tags
from miniapm.domain.deploys.github_deployments import parse_deployments
from miniapm.domain.deploys.given_lines import LeftOut, too_long
from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.revisions_log import is_revision, parse_revisions
from miniapm.domain.deploys.sheets import parse_sheet
from miniapm.domain.deploys.values import Announcement, Source
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

Format = Literal["ndjson", "csv", "capistrano", "git-tags", "github"]

# 1,000 commits with long messages fit; a file without line breaks does not fill the memory
MAX_LINE_BYTES = 16 * 1024 * 1024
_SUFFIXES: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    "revisions.log": "capistrano",
    ".json": "github",
}
_GITHUBS = (b'"statuses_url"', b'"deployment_url"')
_TIMES = ("timestamp", "deployed_at")
_BOM = b"\xef\xbb\xbf"


class GivenLine(NamedTuple):
    """One deploy of a file: the number of its line, and its fields or why it has none."""

    number: int
    given: Mapping[str, Any] | Invalid | LeftOut


def read_lines(readline: Callable[[int], bytes]) -> Iterator[bytes | None]:
    """The lines of a binary file without their ends; None for one that is too long to keep.

    `readline` is that of the file: it takes the most bytes to return.
    """
    while line := readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line.rstrip(b"\r\n")
            continue
        while line and not line.endswith(b"\n"):
            line = readline(MAX_LINE_BYTES)
        yield None


def read_pieces(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """The bytes of a binary file where lines mean nothing, a piece at a time."""
    while piece := readline(MAX_LINE_BYTES // 16):
        yield piece


def guess_by_name(name: str) -> Format | None:
    """The format of a file that is called so; None where its name does not tell."""
    found = (f for suffix, f in _SUFFIXES.items() if name.lower().endswith(suffix))
    return next(found, None)


def guess_format(name: str, lines: Iterator[bytes | None]) -> tuple[Format, Iterator[bytes | None]]:
    """The format by the file's name, else by its first line; and all lines, unread.

    Invalid when neither tells.
    """
    found = guess_by_name(name)
    if found is not None:
        return found, lines
    head: list[bytes | None] = []
    for line in lines:
        head.append(line)
        if line is None or line.removeprefix(_BOM).strip():
            break
    return _guess((head[-1] if head else b"") or b""), chain(head, lines)


def _guess(first: bytes) -> Format:
    first = first.removeprefix(_BOM).strip()
    if first.startswith((b"{", b"[")) and any(mark in first for mark in _GITHUBS):
        return "github"
    if first.startswith(b"{") or not first:
        return "ndjson"
    if first.startswith((b"[", b"\xff\xfe", b"\xfe\xff")):
        what = (
            "one JSON list: `jq -c '.[]'` makes a line of each deploy, and --format github reads "
            "GitHub's deployments"
        )
        if not first.startswith(b"["):
            what = "UTF-16: save it as UTF-8"
        raise Invalid(f"The file is {what}.")
    if is_revision(first):
        return "capistrano"
    if first.count(b"\t") == TAG_TABS:
        return "git-tags"
    if b"git_sha" in first.lower():
        return "csv"
    raise Invalid("The file's format cannot be told from its first line; name it with --format.")


def parse_lines(
    file_format: Format, lines: Iterator[bytes | None], match: Sequence[str] = ()
) -> Iterator[GivenLine]:
    """The deploys of the file, in its order; blank lines are left out, and tags whose names fit
    none of `match`, where there are any.

    Invalid, before the first one, when a CSV file has no usable header row.
    """
    for number, given in _parse(file_format, lines, match):
        yield GivenLine(number, given)


def _parse(
    file_format: Format, lines: Iterator[bytes | None], match: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, Any] | Invalid | LeftOut]]:
    if file_format == "github":
        return parse_deployments(line or b"" for line in lines)
    if file_format == "git-tags":
        return parse_tags(lines, match)
    parse = {"ndjson": _parse_ndjson, "csv": parse_sheet, "capistrano": parse_revisions}
    return parse[file_format](lines)


def _parse_ndjson(
    lines: Iterator[bytes | None],
) -> Iterator[tuple[int, Mapping[str, Any] | Invalid]]:
    for number, line in enumerate(lines, 1):
        if line is None:
            yield number, too_long()
        elif line.strip():
            yield number, _parse_object(line)


def _parse_object(line: bytes) -> Mapping[str, Any] | Invalid:
    try:
        return decode_object(line)
    except Invalid as error:
        return Invalid(error.message.replace("The body", "The line"), error.fields)


def read_defaults(
    project_id: int, slug: str, env: str | None, service: str | None, now: int
) -> Defaults:
    """What lines that name none stand for; Invalid where a line could not say so either."""
    given = {"git_sha": "any", "env": env, "service": service}
    judged = announce(given, Defaults(project_id, slug), now, source="import")
    return Defaults(project_id, judged.service, judged.env)


def read_deploy(
    given: Mapping[str, Any], defaults: Defaults, now: int, source: Source = "import"
) -> Announcement | ExportedDeploy:
    """What a line says of a deploy; Invalid names every bad field.

    A sender that gives no time means now; a file that gives none would be new at each import. What
    `source` told elsewhere may tell it as well: both are one.
    """
    if is_exported(given):
        return read_exported(given, defaults, now)
    problems: dict[str, str] = {}
    try:
        announcement = announce(given, defaults, now, source=source)
        if announcement.at_given:
            return announcement
    except Invalid as error:
        problems = error.fields
    if not problems or all(given.get(name) in (None, "") for name in _TIMES):
        problems["timestamp"] = "is required in an import"
    raise Invalid(summarise(problems), problems)
