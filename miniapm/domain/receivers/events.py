"""Events and annotations that tell of deploys by tags (`service:shop`, `version:1.2.3`) and text.

One that names no revision is no deploy: a marker that nobody can compare with another helps nobody.
"""

import re
from collections.abc import Iterable
from typing import Any

from miniapm.domain.deploys.commits import is_sha
from miniapm.exceptions import Invalid

_NAMES = {
    "sha": "git_sha",
    "git_sha": "git_sha",
    "commit": "git_sha",
    "commit_sha": "git_sha",
    "revision": "git_sha",
    "git.commit.sha": "git_sha",
    "version": "version",
    "release": "version",
    "tag": "version",
    "service": "service",
    "app": "service",
    "application": "service",
    "env": "env",
    "environment": "env",
    "status": "status",
    "deployer": "deployer",
    "user": "deployer",
    "url": "url",
    "repository": "repository",
    "git.repository_url": "repository",
}
_TAG = re.compile(r"([\w.]+)\s*[:=]\s*(\S.*)")
# not within a word, a UUID or the digest of an image
_SHA = re.compile(r"(?<![\w-])(?<!sha256:)[0-9a-fA-F]{7,40}(?![\w-])")
_VERSION = re.compile(
    r"(?<![\w./-])(?:v\d+(?:\.\d+){0,2}|\d+\.\d+\.\d+)(?:[-+][\w.+-]*\w)?(?![\w/]|\.\d)"
)
_ABOUT_DEPLOYS = re.compile(
    r"deploy|releas|roll(?:ed|ing)?[ -]?(?:out|back)|rollout", re.IGNORECASE
)
_LONGEST_SEARCH = 10_000

NO_REVISION = (
    "name no revision; add a tag such as sha:abc1234 or version:1.2.3, and service:NAME and "
    "env:NAME where the key has none. Nothing was stored"
)


def read_event(title: str, text: str, tags: Iterable[str]) -> dict[str, Any]:
    """The fields of `POST /ingest/deploys` that an event gives, without its times.

    Tags that say nothing of these stay tags. Where no tag names the revision, it is a commit in the
    text, or the only version in the title of what speaks of a deploy. Invalid where there is none.
    """
    fields: dict[str, Any] = {}
    rest = []
    for tag in tags:
        match = _TAG.fullmatch(tag.strip())
        name = _NAMES.get(match[1].lower()) if match else None
        if match is None or name is None or name in fields:
            rest.append(tag)
        else:
            fields[name] = match[2].strip()
    if "git_sha" not in fields:
        found = _find_sha(f"{title}\n{text}")
        if found is not None:
            fields["git_sha"] = found
    if not {"git_sha", "version"} & set(fields) and _speaks_of_deploys(title, rest):
        version = _find_version(title)
        if version is not None:
            fields["version"] = version
    if not {"git_sha", "version"} & set(fields):
        raise Invalid(f"The tags and the text {NO_REVISION}.", {"tags": NO_REVISION})
    # where nobody says the commit, the version stands for it
    fields.setdefault("git_sha", fields.get("version"))
    description = text.strip() if text.strip() != title.strip() else ""
    return {**fields, "title": title, "description": description, "tags": rest}


def list_tags(value: Any, separator: str | None = None) -> list[str]:
    """The tags of an event: a list, or one text with `separator` between them, else spaces."""
    parts = value.split(separator) if isinstance(value, str) else value
    if not isinstance(parts, list):
        return []
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def split_title(text: str) -> tuple[str, str]:
    """The first line of a text, and what is below it."""
    title, _, rest = text.strip().partition("\n")
    return title.strip(), rest.strip()


def _find_sha(text: str) -> str | None:
    """The longest word that can only be a commit: words and numbers can be hexadecimal, too."""
    found = [
        sha
        for sha in _SHA.findall(text[:_LONGEST_SEARCH])
        if is_sha(sha) and (len(sha) == 40 or not (sha.isdigit() or sha.isalpha()))
    ]
    return max(found, key=len, default=None)


def _find_version(title: str) -> str | None:
    found = set(_VERSION.findall(title[:_LONGEST_SEARCH]))
    return found.pop() if len(found) == 1 else None


def _speaks_of_deploys(title: str, tags: Iterable[str]) -> bool:
    return any(_ABOUT_DEPLOYS.search(one[:_LONGEST_SEARCH]) for one in (title, *tags))
