"""What a live deploy is in the delivery numbers: redeploys count in none, rollbacks bring no
commits."""

from collections.abc import Iterator

from miniapm.clock import to_rfc3339
from miniapm.domain.delivery.values import Outcome
from miniapm.domain.delivery.words import tell_failure
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import find_commits
from miniapm.storage.deploys.surroundings import find_previous_live


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
    failure = outcome.failure
    if failure is not None:
        names = {} if failure.by_id is None else {failure.by_id: f"deploy {failure.by_id}"}
        yield Finding(
            "ok",
            about,
            f"It counts as failed: {tell_failure(failure, names)}.",
            f"`miniapm deploys edit {deploy.id} --ok` overrules that.",
        )
    elif deploy.overruled == "ok":
        yield Finding("ok", about, "A person said that it did not fail: that ends the question.")


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
