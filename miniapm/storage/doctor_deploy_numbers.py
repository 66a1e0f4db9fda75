"""What a live deploy is in the delivery numbers: redeploys count in none, rollbacks bring no
commits."""

from collections.abc import Iterator

from miniapm.clock import to_rfc3339
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.values import Failure, Outcome
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.lanes import Lane
from miniapm.storage.delivery.live import tell_lane
from miniapm.storage.delivery.marks import find_marks
from miniapm.storage.deploys.rows import find_commits
from miniapm.storage.deploys.surroundings import find_previous_live
from miniapm.storage.doctor import Finding

_REASONS = {
    "overruled": "a person said so",
    "rollback": "deploy {by} rolled it back",
    "revert": "deploy {by} reverts what it brought",
    "fix": "deploy {by} that followed is tagged as its fix",
    "regressed": "its verdict is regressed, and nobody dismissed it",
}


def find_outcome(connection: Connection, deploy: Deploy, rules: DeliveryRules) -> Outcome | None:
    """What a live deploy was in its lane, and what became of it."""
    lane = Lane(deploy.project_id, deploy.service, deploy.env)
    marks = find_marks(connection, deploy.project_id, rules)
    outcomes = tell_lane(connection, lane, deploy.deployed_at, marks)
    return next((one for one in outcomes if one.deploy.id == deploy.id), None)


def tell_outcome(
    connection: Connection, deploy: Deploy, about: str, outcome: Outcome
) -> Iterator[Finding]:
    """What numbers make of it. A note says that they leave it out."""
    if not outcome.counts:
        previous = find_previous_live(connection, deploy)
        yield Finding(
            "note",
            about,
            f"Its commit was live in {deploy.env} already"
            + (f", since deploy {previous.id}" if previous else "")
            + ": a redeploy is shown, and counts in no number.",
        )
    if outcome.is_rollback:
        yield Finding(
            "ok",
            about,
            "It is a rollback: it counts as a deployment and as rework, and brings no commits.",
        )
    if outcome.failure is not None:
        yield Finding(
            "ok",
            about,
            f"It counts as failed: {_tell_failure(outcome.failure)}.",
            f"`miniapm deploys edit {deploy.id} --ok` overrules that.",
        )
    elif deploy.overruled == "ok":
        yield Finding("ok", about, "A person said that it did not fail: that ends the question.")


def _tell_failure(failure: Failure) -> str:
    if failure.reason == "tag":
        return f"it carries the tag {failure.word}"
    return _REASONS[failure.reason].format(by=failure.by_id)


def examine_commits(
    connection: Connection, deploy: Deploy, about: str, outcome: Outcome
) -> Iterator[Finding]:
    """Whether it has a lead time."""
    if not outcome.brings_commits:
        return
    commits = find_commits(connection, deploy.project_id, deploy.id)
    if not commits:
        yield Finding(
            "note",
            about,
            "It has no lead time: nobody told which commits it brought.",
            "`miniapm deploy` sends them from a checkout with its history (fetch-depth: 0), "
            "webhooks of pushes tell of them, and `miniapm deploys import --format commits` adds "
            "those of the past.",
        )
        return
    if outcome.is_first and len(commits) > 1:
        yield Finding(
            "note",
            about,
            f"Nothing was live in {deploy.env} before it: of its {len(commits):,} commits only the "
            "deployed one counts for lead time, for they may be the whole past.",
        )
    timed = [one.committed_at for one in commits if one.committed_at is not None]
    late = [at for at in timed if at >= deploy.deployed_at]
    if not timed:
        yield Finding(
            "note",
            about,
            "It has no lead time: nobody told when its commits were made.",
            "Send `commits` with a timestamp each, or let a push tell of them.",
        )
    elif late:
        yield Finding(
            "note",
            about,
            f"{len(late)} of its {len(commits)} commits are newer than the deploy, the newest of "
            f"{to_rfc3339(max(late))}: they have no lead time.",
            "The clock of who committed is ahead, or the deploy's time is too early.",
        )
    if any(one.is_approximate for one in commits):
        yield Finding(
            "note",
            about,
            "Its lead time is approximate: only the deployed commit is known to be new.",
            ""
            if outcome.is_first
            else "The sender did not know the commits since the deploy before: give its checkout "
            "the whole history (fetch-depth: 0).",
        )
