"""Commits as git tells of them and as they are sent."""

import re
from dataclasses import asdict, dataclass

MOST_COMMITS = 1000
COMMIT_FORM = "%H%n%cI%n%aN%n%B"
_MOST_REVERTS = 10
_LONGEST_MESSAGE = 600
_DATED = re.compile(r"[2-8]\d{3}-")  # from the year 2000 on
_REVERTS = re.compile(r"This reverts commit [0-9a-fA-F]{7,64}")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `timestamp` is the committer's: when it became part of this history.

    `approximate` marks one that stands alone because nobody knows what came with it.
    """

    sha: str
    timestamp: str
    author: str
    message: str
    approximate: bool = False

    @property
    def is_dated(self) -> bool:
        """Whether its time can be true; git writes 1970 where it has none."""
        return _DATED.match(self.timestamp) is not None

    def to_fields(self) -> dict[str, object]:
        """As `POST /ingest/deploys` takes it."""
        return {name: value for name, value in asdict(self).items() if value}


def parse_commit(record: str) -> Commit:
    """A commit as `git log` writes it with COMMIT_FORM."""
    sha, timestamp, author, message = record.split("\n", 3)
    told = cut_message(_text(message), _LONGEST_MESSAGE)
    return Commit(sha.strip(), timestamp, _text(author)[:200], told)


def cut_message(message: str, most: int) -> str:
    """At most `most` characters of `message`, and what it says of commits that it reverts."""
    cut = message[:most]
    reverts = [words for words in _REVERTS.findall(message) if words not in cut]
    return "\n\n".join([cut, *reverts[:_MOST_REVERTS]])


def _text(raw: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else " " for c in raw).strip()
