"""The shape of what is sent to `POST /ingest/deploys`: what decodes it also documents it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_COMMITS = 1000

Text200 = Annotated[str, Meta(min_length=1, max_length=200)]
Text100 = Annotated[str, Meta(min_length=1, max_length=100)]
Env = Annotated[
    Text100, Meta(description="Also as `environment`. Default: the key's, else `production`")
]
Service = Annotated[Text100, Meta(description="Default: the key's, else the project's slug")]
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
    approximate: Annotated[
        bool, Meta(description="It stands alone: what else came with it is not known")
    ] = False


class DeployPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /ingest/deploys`. Unknown fields are ignored."""

    git_sha: Annotated[str, Meta(min_length=1, max_length=200, description="Git commit SHA")]
    version: Text200 | None = None
    env: Env | None = None
    service: Service | None = None
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
