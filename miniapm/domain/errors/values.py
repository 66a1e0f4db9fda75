"""The words of errors: an occurrence as it arrived, a group of those that are the same error."""

from typing import Any, Literal, get_args

import msgspec

State = Literal["open", "resolved", "ignored"]
STATES: tuple[State, ...] = get_args(State)


class SourceContext(msgspec.Struct, frozen=True):
    """The lines of source around the place where it happened."""

    file: str = ""
    lineno: int = 0
    pre_context: tuple[str, ...] = ()
    context_line: str = ""
    post_context: tuple[str, ...] = ()


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One error, checked, capped and scrubbed. `happened_at` in µs; ids are hex, "" if unknown."""

    service: str
    env: str
    version: str
    revision: str
    happened_at: int
    exception_class: str
    message: str
    fingerprint: str
    """The sender's own, or the one of `fingerprints.py`: 16 hex characters of a hash."""
    culprit: str = ""
    """The innermost frame of the application's own code, as people name it."""
    backtrace: tuple[str, ...] = ()
    user_id: str = ""
    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    params: Any = None
    context: Any = None
    source_context: SourceContext | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """All occurrences that are the same error, of one service. Instants in µs.

    `first_seen_at`, `last_seen_at` and `regressed_at` are event times. `message` and `culprit` are
    the latest occurrence's; `first_release_id` is the release of the earliest.
    """

    id: int
    project_id: int
    service: str
    fingerprint: str
    exception_class: str
    message: str
    culprit: str
    first_seen_at: int
    last_seen_at: int
    count: int = 0
    state: State = "open"
    state_changed_at: int | None = None
    state_changed_by: str | None = None
    resolved_at: int | None = None
    regressed_at: int | None = None
    regressed_deploy_id: int | None = None
    first_release_id: int = 0
    sampled_minute: int = 0
    sampled_count: int = 0

    @property
    def is_regressed(self) -> bool:
        """Whether it came back after it was resolved, and nobody has said anything since."""
        return self.state == "open" and self.regressed_at is not None
