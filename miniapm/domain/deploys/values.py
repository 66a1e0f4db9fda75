"""The words of deploys: statuses, limits, and the two values that everything passes around.

An `Announcement` is one report by a sender; a `Deploy` is what all reports of it folded into.
"""

from typing import Literal, NamedTuple, get_args

import msgspec

from miniapm.clock import MINUTE

Status = Literal["started", "succeeded", "failed", "cancelled", "timed_out"]
Source = Literal["api", "import", "github", "gitlab", "heroku", "coolify", "cdevents", "telemetry"]
Overruled = Literal["failed", "ok"]
STATUSES: tuple[Status, ...] = get_args(Status)
Kind = Literal["first", "deploy", "redeploy", "retry", "rollback", "rollforward"]

ENDS = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
NOT_LIVE_ENDS = frozenset({"failed", "cancelled", "timed_out"})

DEFAULT_ENV = "production"
REPEAT_WITHIN = 10 * MINUTE
SAME_DEPLOY_WITHIN = 30 * MINUTE
SHA_PREFIX = 7

FOLDED_TEXTS = (
    "version",
    "title",
    "description",
    "deployer",
    "url",
    "repository",
)


class Lane(NamedTuple):
    """A service of a project in an environment: what deploys follow each other in."""

    project_id: int
    service: str
    env: str


class Commit(msgspec.Struct, frozen=True):
    """A commit that a deploy brought. `committed_at` is None where the sender did not know it;
    `is_approximate` marks the head commit that stands alone, for what came with it is not known."""

    sha: str
    committed_at: int | None = None
    message: str | None = None
    author: str | None = None
    is_approximate: bool = False


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One report about a deploy, checked and complete. Instants in µs.

    `at` is when what it reports happened; `at_given` says whether the sender said so. `given` names
    the fields that the sender wrote, for corrections by the same `external_id`.
    """

    project_id: int
    service: str
    env: str
    git_sha: str
    status: Status
    at: int
    at_given: bool
    received_at: int
    version: str | None = None
    started_at: int | None = None
    external_id: str | None = None
    title: str | None = None
    description: str | None = None
    deployer: str | None = None
    url: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    commits: tuple[Commit, ...] = ()
    source: Source = "api"
    key_id: int | None = None
    given: frozenset[str] = frozenset()
    every_call_counts: bool = False
    stands_alone: bool = False

    @property
    def foreign_id(self) -> str | None:
        """`external_id` where it is neither of the API nor of an import: such ids are kept apart,
        for each source has its own."""
        return None if self.source in ("api", "import") else self.external_id

    @property
    def own_id(self) -> str | None:
        """`external_id` as the deploy itself keeps it."""
        return self.external_id if self.foreign_id is None else None


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """A deploy as stored. `deployed_at` is its deploy time: the end, or the start while it runs.

    `overruled` is a person's word on whether it failed; `is_left_out` marks one that only GitHub
    told of where the API tells of deploys: it counts in no number.
    """

    id: int
    project_id: int
    service: str
    env: str
    git_sha: str
    status: Status
    deployed_at: int
    recorded_at: int
    updated_at: int
    version: str | None = None
    external_id: str | None = None
    title: str | None = None
    description: str | None = None
    deployer: str | None = None
    url: str | None = None
    repository: str | None = None
    started_at: int | None = None
    hidden_at: int | None = None
    overruled: Overruled | None = None
    is_left_out: bool = False
    sources: tuple[Source, ...] = ("api",)
    key_id: int | None = None
    tags: tuple[str, ...] = ()

    @property
    def lane(self) -> Lane:
        """What it went to."""
        return Lane(self.project_id, self.service, self.env)

    @property
    def is_live(self) -> bool:
        """Whether it went live, and is neither hidden nor left out."""
        return self.status == "succeeded" and self.hidden_at is None and not self.is_left_out

    @property
    def is_observed(self) -> bool:
        """Whether only telemetry has shown it: nobody announced it."""
        return self.sources == ("telemetry",)

    @property
    def name(self) -> str:
        """What people call it."""
        return name_deploy(self.git_sha, self.version)

    @property
    def short_sha(self) -> str:
        """The sha as people write it."""
        return shorten_sha(self.git_sha)


def name_deploy(git_sha: str, version: str | None) -> str:
    """The version, unless that is only the sha again; else the sha."""
    short = shorten_sha(git_sha)
    version = version or short
    is_sha = _is_hex_sha(git_sha) and len(version) >= 7 and git_sha.startswith(version)
    return short if is_sha else version


def shorten_sha(git_sha: str) -> str:
    """Hex shas by their first seven characters."""
    return git_sha[:7] if _is_hex_sha(git_sha) else git_sha[:20]


def _is_hex_sha(git_sha: str) -> bool:
    return len(git_sha) >= 7 and not set(git_sha) - set("0123456789abcdefABCDEF")


def search_text(deploy: Deploy | Announcement, tags: tuple[str, ...]) -> str:
    """What a search looks into, folded for comparison without case."""
    parts = (
        deploy.git_sha,
        deploy.version,
        deploy.deployer,
        deploy.title,
        deploy.description,
        *tags,
    )
    return "\n".join(filter(None, parts)).casefold()
