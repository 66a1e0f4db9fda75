"""How a group of errors changes: by occurrences that arrive, and by what people say of it."""

from collections.abc import Sequence

import msgspec

from miniapm.domain.errors.bounding import cut
from miniapm.domain.errors.values import Group, Occurrence, State

GROUP_MESSAGE = 1_000


def open_group(group_id: int, project_id: int, first: Occurrence) -> Group:
    """The group that begins with `first`, which is not counted yet."""
    return Group(
        id=group_id,
        project_id=project_id,
        service=first.service,
        fingerprint=first.fingerprint,
        exception_class=first.exception_class,
        message=cut(first.message, GROUP_MESSAGE),
        culprit=first.culprit,
        first_seen_at=first.happened_at,
        last_seen_at=first.happened_at,
    )


def add_occurrences(group: Group, fresh: Sequence[Occurrence]) -> Group:
    """`group` with `fresh`, at least one, counted; its state stays, `find_return` tells that."""
    latest = max(fresh, key=lambda occurrence: occurrence.happened_at)
    is_news = latest.happened_at >= group.last_seen_at
    return msgspec.structs.replace(
        group,
        message=cut(latest.message, GROUP_MESSAGE) if is_news else group.message,
        culprit=latest.culprit if is_news else group.culprit,
        first_seen_at=min(group.first_seen_at, *(o.happened_at for o in fresh)),
        last_seen_at=max(group.last_seen_at, latest.happened_at),
        count=group.count + len(fresh),
    )


def find_return(group: Group, fresh: Sequence[Occurrence]) -> Occurrence | None:
    """The occurrence with which a resolved group came back: the earliest after it was resolved.

    One that arrives late may show that it came back earlier than was known.
    """
    if group.state == "ignored" or group.resolved_at is None:
        return None
    if group.state == "open" and group.regressed_at is None:
        return None
    after = [o for o in fresh if o.happened_at > group.resolved_at]
    first = min(after, key=lambda occurrence: occurrence.happened_at, default=None)
    if first is None or (
        group.state == "open"
        and group.regressed_at is not None
        and first.happened_at >= group.regressed_at
    ):
        return None
    return first


def reopen(group: Group, at: int, deploy_id: int | None) -> Group:
    """`group` come back at `at`, while `deploy_id` was live."""
    return msgspec.structs.replace(
        group, state="open", regressed_at=at, regressed_deploy_id=deploy_id
    )


def change_state(group: Group, state: State, actor: str, at: int) -> Group:
    """`group` as a person wants it; what was known of its coming back is over with that."""
    return msgspec.structs.replace(
        group,
        state=state,
        state_changed_at=at,
        state_changed_by=actor,
        resolved_at=at if state == "resolved" else None,
        regressed_at=None,
        regressed_deploy_id=None,
    )
