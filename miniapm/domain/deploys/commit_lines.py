"""Files of commits, a JSON object a line: what came before the webhooks that tell of pushes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from miniapm.clock import SECOND
from miniapm.domain.deploys.commits import POSITIONS_PER_SECOND
from miniapm.domain.deploys.explaining import explain, summarise
from miniapm.domain.deploys.reading import read_commit
from miniapm.domain.deploys.texts import clean_repository, clean_text
from miniapm.domain.deploys.values import Commit
from miniapm.exceptions import Invalid


class CommitLine(NamedTuple):
    """A commit on a branch of a repository; both are "" where the line names none."""

    repository: str
    branch: str
    commit: Commit


class PlacedCommit(NamedTuple):
    """A commit with its place: positions count up along a branch."""

    line: CommitLine
    position: int


class _Place(msgspec.Struct, frozen=True):
    repository: Annotated[str, Meta(max_length=2000)] | None = None
    branch: Annotated[str, Meta(max_length=200)] | None = None


def read_commit_line(given: Mapping[str, Any]) -> CommitLine:
    """The commit in `given`: `sha` and `timestamp`, and `message`, `author`, `repository` and
    `branch` where they are known. Invalid names every bad field."""
    problems: dict[str, str] = {}
    commit = read_commit(given, "commit", problems)
    repository, branch = "", ""
    try:
        place = msgspec.convert(dict(given), _Place)
        repository = clean_repository(place.repository) if place.repository else ""
        branch = (place.branch or "").strip()
        if clean_text(branch, lines=False)[1]:
            problems["branch"] = "holds a control character"
    except msgspec.ValidationError as error:
        problems["commit"] = explain(error)
    except ValueError as error:
        problems["repository"] = str(error)
    if problems or commit is None:
        raise Invalid(summarise(problems), problems)
    told = msgspec.structs.replace(commit, sha=commit.sha.lower())
    return CommitLine(repository, branch, told)


def place_commits(lines: Sequence[CommitLine]) -> list[PlacedCommit]:
    """`lines` in the order in which they came to their branches, oldest first; the file may have
    them so, or the other way round as `git log` does."""
    times = [line.commit.committed_at or 0 for line in lines]
    if times and times[0] > times[-1]:
        lines = lines[::-1]
    last: dict[tuple[str, str], int] = {}
    placed = []
    for line in lines:
        at = (line.commit.committed_at or 0) // SECOND * POSITIONS_PER_SECOND
        # the order of the file stands above the clocks of those who committed
        position = max(at, last.get(line[:2], -1) + 1)
        last[line[:2]] = position
        placed.append(PlacedCommit(line, position))
    return placed
