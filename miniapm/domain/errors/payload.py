"""The shape of what is sent to `POST /ingest/errors`: what decodes it also documents it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from miniapm.domain.deploys.payload import Env, Instant, Service, Text200

MAX_ERRORS = 1000

Ident = Annotated[str, Meta(min_length=1, max_length=200)] | int


class SourceContextPayload(msgspec.Struct, frozen=True):
    """The lines of source around the place where it happened."""

    file: str | None = None
    lineno: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    pre_context: list[str] | None = None
    context_line: str | None = None
    post_context: list[str] | None = None


class ErrorPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /ingest/errors`. Unknown fields are ignored, secrets are masked."""

    exception_class: Annotated[str, Meta(min_length=1, description="Past 200 characters it is cut")]
    message: Annotated[str, Meta(description="May be empty; past 10,000 characters it is cut")]
    backtrace: (
        Annotated[
            str | list[str],
            Meta(description="As the language prints it; of more than 400 lines the middle goes"),
        ]
        | None
    ) = None
    fingerprint: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=200,
                description="Errors of a service with the same one are one error. Default: made "
                "from the class and the first frames of the application's own code",
            ),
        ]
        | None
    ) = None
    env: Env | None = None
    service: Service | None = None
    git_sha: Text200 | None = None
    version: Text200 | None = None
    timestamp: (
        Annotated[
            Instant, Meta(description="At most 14 days back and 10 minutes ahead; default: now")
        ]
        | None
    ) = None
    user_id: Ident | None = None
    request_id: Ident | None = None
    trace_id: Annotated[str, Meta(description="32 hex digits")] | None = None
    span_id: Annotated[str, Meta(description="16 hex digits")] | None = None
    params: Annotated[Any, Meta(description="Any JSON; bounded in size and depth")] = None
    context: Annotated[Any, Meta(description="Any JSON; bounded in size and depth")] = None
    source_context: SourceContextPayload | None = None


class ErrorBatchPayload(msgspec.Struct, frozen=True):
    """The body of `POST /ingest/errors/batch`."""

    errors: Annotated[list[ErrorPayload], Meta(max_length=MAX_ERRORS)]


ALIASES = {
    "error_type": "exception_class",
    "environment": "env",
    "happened_at": "timestamp",
}
