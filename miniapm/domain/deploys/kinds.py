"""What a deploy was in the story of its service and environment, and why we say so.

Derived each time it is read from the deploys around it, so it follows every correction.
"""

from typing import NamedTuple

from miniapm.domain.deploys.values import NOT_LIVE_ENDS, Deploy, Kind


class Surroundings(NamedTuple):
    """What was live and tried in the same project, service and env before a deploy.

    `previous` is the live deploy before it; `last_attempt` the try before it of the same sha, live
    or not; `own_live_at` and `previous_live_at` say when its sha, and that of `previous`, first
    went live (None: never before).
    """

    previous: Deploy | None = None
    last_attempt: Deploy | None = None
    own_live_at: int | None = None
    previous_live_at: int | None = None


class KindReason(NamedTuple):
    kind: Kind
    reason: str


def derive_kind(deploy: Deploy, around: Surroundings) -> KindReason:
    """The kind and the reason for it, in words.

    A redeploy puts the live sha out again; a retry follows a try of the same sha that did not go
    live; a rollback returns to a sha that was first live before the one it replaces, a roll-forward
    to one that was first live after it (taking back a rollback).
    """
    previous, attempt = around.previous, around.last_attempt
    name = deploy.name
    if attempt is not None and attempt.status in NOT_LIVE_ENDS:
        # only while nothing went live since that try
        if previous is None or previous.deployed_at < attempt.deployed_at:
            return KindReason(
                "retry", f"The try before, of the same commit, {_ENDED[attempt.status]}."
            )
    if previous is None:
        return KindReason("first", f"Nothing was live in {deploy.env} before.")
    replaced = previous.name
    replaces = _REPLACES.get(deploy.status, "was to replace")
    if previous.git_sha == deploy.git_sha:
        if previous.version != deploy.version:
            return KindReason("redeploy", f"The same commit was live already, as {replaced}.")
        return KindReason("redeploy", f"{name} was live already.")
    if around.own_live_at is not None and around.previous_live_at is not None:
        if around.own_live_at < around.previous_live_at:
            return KindReason(
                "rollback", f"{name} was live before {replaced}, which it {replaces}."
            )
        back = _COMES_BACK.get(deploy.status, "was to come back")
        return KindReason("rollforward", f"{name} was live after {replaced} before: it {back}.")
    return KindReason("deploy", f"{name} {replaces} {replaced}.")


# what did not go live only meant to
_REPLACES = {"succeeded": "replaces", "started": "is to replace"}
_COMES_BACK = {"succeeded": "is back", "started": "is to come back"}
_ENDED = {"failed": "failed", "cancelled": "was cancelled", "timed_out": "timed out"}
