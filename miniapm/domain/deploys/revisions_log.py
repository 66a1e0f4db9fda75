"""Capistrano 3's `revisions.log`: one line for each deploy and rollback of a stage.

The number of a release is when it began, in UTC. A rollback's line names no time: it is placed a
second after the line before it, which is the only thing known of it, and tagged so that a person
can find it and set its time. Who deployed may be empty.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from miniapm.clock import SECOND, to_rfc3339
from miniapm.domain.deploys.given_lines import too_long
from miniapm.domain.instants import parse_instant
from miniapm.exceptions import Invalid

TIME_UNKNOWN = "time_unknown"
"""The tag of deploys whose time is made up."""
_DEPLOYED = re.compile(
    r"Branch (?P<branch>.*) \(at (?P<sha>.*)\) deployed as release (?P<release>\d{14})"
    r" by(?: (?P<user>.*))?"
)
_ROLLED_BACK = re.compile(r"(?:(?P<user>.*) )?rolled back to release (?P<release>\d{14})")


def is_revision(line: bytes) -> bool:
    """Whether a line is one of this log."""
    text = line.decode("utf-8", "replace").strip()
    return bool(_DEPLOYED.fullmatch(text) or _ROLLED_BACK.fullmatch(text))


def parse_revisions(
    lines: Iterable[bytes | None],
) -> Iterator[tuple[int, Mapping[str, Any] | Invalid]]:
    """The number and the fields of each line that is not blank."""
    log = _Log()
    for number, line in enumerate(lines, 1):
        if line is None:
            yield number, too_long()
        elif line.strip():
            try:
                yield number, log.read(line.decode("utf-8-sig").strip())
            except UnicodeDecodeError:
                yield number, Invalid("The line is not UTF-8.")
            except Invalid as error:
                yield number, error


class _Log:
    """What the lines so far have told."""

    def __init__(self) -> None:
        self._shas: dict[str, str] = {}
        self._latest: int | None = None
        self._live = ""

    def read(self, text: str) -> dict[str, Any]:
        deployed = _DEPLOYED.fullmatch(text)
        if deployed is not None:
            return self._read_deployed(deployed)
        rolled_back = _ROLLED_BACK.fullmatch(text)
        if rolled_back is not None:
            return self._read_rolled_back(rolled_back)
        raise Invalid("The line is none of Capistrano's: neither a release nor a rollback.")

    def _read_deployed(self, match: re.Match[str]) -> dict[str, Any]:
        release = match["release"]
        at = _released_at(release)
        self._shas[release] = match["sha"]
        self._latest, self._live = at, match["sha"]
        return {
            "git_sha": match["sha"],
            "deployer": match["user"] or None,
            "timestamp": to_rfc3339(at),
            "description": f"Branch {match['branch']}, release {release}.",
        }

    def _read_rolled_back(self, match: re.Match[str]) -> dict[str, Any]:
        release = match["release"]
        sha = self._shas.get(release)
        if sha is None or self._latest is None:
            reason = "is deployed on no line before this one, so its commit is not known"
            raise Invalid(f"The release {release} {reason}.", {"release": reason})
        self._latest += SECOND
        was_live, self._live = self._live == sha, sha
        return {
            "git_sha": sha,
            "deployer": match["user"] or None,
            "timestamp": to_rfc3339(self._latest),
            # what was live already is no deploy of its own, so that no time of one is made up
            "tags": [] if was_live else [TIME_UNKNOWN],
            "description": f"Rolled back to release {release}. Capistrano does not log when; "
            "this time is one second after the line before.",
        }


def _released_at(release: str) -> int:
    try:
        return parse_instant(f"{release[:8]}T{release[8:]}Z")
    except ValueError as error:
        raise Invalid(f"The release {release} {error}.", {"release": str(error)}) from None
