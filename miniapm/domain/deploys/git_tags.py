"""Tags as `git for-each-ref` lists them, a deploy each: lightweight ones by the time of their
commit, annotated ones by their own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from miniapm.domain.deploys.given_lines import too_long
from miniapm.exceptions import Invalid

TAG_FORMAT = (
    "%(refname:strip=2)%09%(objectname)%09%(*objectname)%09%(creatordate:iso-strict)"
    "%09%(taggername)%09%(contents:subject)"
)
"""What `git for-each-ref refs/tags --format=...` is asked for."""
TAG_TABS = TAG_FORMAT.count("%09")


def parse_tags(
    lines: Iterable[bytes | None], patterns: Sequence[str] = ()
) -> Iterator[tuple[int, Mapping[str, Any] | Invalid]]:
    """The number and the fields of each tag whose name one of `patterns` fits, such as `v*`; of all
    without any."""
    for number, line in enumerate(lines, 1):
        if line is None:
            yield number, too_long()
        elif line.strip():
            found = _read(line)
            if isinstance(found, Invalid) or _fits(found["version"], patterns):
                yield number, found


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _read(line: bytes) -> Mapping[str, Any] | Invalid:
    try:
        parts = line.decode("utf-8-sig").split("\t", TAG_TABS)
    except UnicodeDecodeError:
        return Invalid("The line is not UTF-8.")
    if len(parts) != TAG_TABS + 1:
        return Invalid(
            "The line is no tag: write the file with `git for-each-ref refs/tags "
            f"--format='{TAG_FORMAT}'`."
        )
    name, sha, target, at, tagger, subject = (part.strip() for part in parts)
    if not at:
        return Invalid(f"The tag {name} has no time: it names no commit.")
    return {
        "git_sha": target or sha,
        "version": name,
        "timestamp": at,
        "deployer": tagger or None,
        "title": subject if subject and subject != name else None,
    }
