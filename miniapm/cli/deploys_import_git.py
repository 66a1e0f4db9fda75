"""The tags of a git repository as deploys, each with the commits since the one before it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from miniapm.client.commits import MOST_COMMITS
from miniapm.client.deadline import Deadline
from miniapm.client.git import Git, GitFailed
from miniapm.domain.deploys.git_tags import TAG_FORMAT, parse_tags
from miniapm.domain.deploys.importing import GivenLine
from miniapm.domain.instants import parse_instant
from miniapm.exceptions import Invalid

_SECONDS = 3600.0


def read_tags(directory: Path, match: Sequence[str]) -> Iterator[GivenLine]:
    """The tags of the repository in `directory`, oldest first; Invalid where git cannot read it."""
    git = Git(Deadline(_SECONDS), str(directory))
    try:
        text = git.list_tags(TAG_FORMAT)
    except GitFailed as error:
        raise Invalid(f"The tags in {directory} cannot be read: {error}.") from None
    lines = (line.encode("utf-8", "surrogateescape") for line in text.splitlines())
    tags = sorted(parse_tags(lines, match), key=lambda one: _tell_time(one[1]))
    repository, previous = git.repository(), None
    for number, given in tags:
        if isinstance(given, Invalid):
            yield GivenLine(number, given)
            continue
        fields: dict[str, Any] = {**given, "repository": repository}
        with suppress(GitFailed):
            fields["commits"] = _find_commits(git, previous, given["git_sha"])
        previous = given["git_sha"]
        yield GivenLine(number, fields)


def _tell_time(given: Any) -> int:
    try:
        return 0 if isinstance(given, Invalid) else parse_instant(given["timestamp"])
    except ValueError:
        return 0


def _find_commits(git: Git, previous: str | None, sha: str) -> list[dict[str, object]]:
    """As `miniapm deploy` sends them: of the first one, and of one that shares no history with the
    one before it, the head alone."""
    if previous is not None and git.share_history(previous, sha):
        commits = git.commits(f"{previous}..{sha}", MOST_COMMITS)
    else:
        commits = [replace(one, approximate=True) for one in git.commits(sha, 1)]
    return [one.to_fields() for one in commits if one.is_dated]
