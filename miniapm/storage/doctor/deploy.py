"""Why a deploy is not in a graph or a number: each rule that leaves it out, and what to do."""

from collections.abc import Iterator
from typing import NamedTuple

from miniapm.clock import DAY, to_rfc3339
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.reading import CLOCK_SKEW
from miniapm.domain.deploys.values import SAME_DEPLOY_WITHIN, Deploy
from miniapm.domain.doctor import Finding, tell_span
from miniapm.domain.durations import format_duration
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.report import find_outcome
from miniapm.storage.doctor.deploy_graphs import examine_telemetry_of, examine_verdict
from miniapm.storage.doctor.deploy_numbers import examine_commits, tell_outcome

_STATUSES = {
    "started": "has begun and not ended yet",
    "failed": "failed",
    "cancelled": "was cancelled",
    "timed_out": "timed out: its end never came",
}


class Terms(NamedTuple):
    """What the settings say. `judged_since` (µs) is the deploy time from which on deploys are
    judged, `timeout` (µs) when a start without an end is given up."""

    rules: DeliveryRules
    timeout: int
    judged_since: int


def examine_deploy(connection: Connection, deploy: Deploy, terms: Terms, now: int) -> list[Finding]:
    """Whether it counts, and each rule that leaves it out of a graph or number; `now` in µs."""
    about = str(deploy.id)
    nowhere = [*_examine_status(deploy, about, terms, now), *_examine_marks(deploy, about)]
    counts = not nowhere
    reasons = [*nowhere, *_examine_place(deploy, about, terms.rules)]
    reasons += _examine_times(deploy, about)
    reasons += _examine_twins(connection, deploy, about)
    if deploy.is_live:
        outcome = find_outcome(connection, deploy, terms.rules)
        if outcome is not None:
            counts = counts and outcome.counts
            reasons += tell_outcome(connection, deploy, about, outcome)
            reasons += examine_commits(connection, deploy, about, outcome)
        reasons += examine_telemetry_of(connection, deploy, about)
        reasons += examine_verdict(connection, deploy, about, terms.judged_since)
    sentence = (
        f"{_name(deploy)} of {deploy.service} to {deploy.env} at {to_rfc3339(deploy.deployed_at)}"
        f" (deploy {deploy.id}, told by {' and '.join(deploy.sources)})"
    )
    counted = _tell_counted(deploy, terms.rules) if counts else "counts in no delivery number"
    return [Finding("ok", about, f"{sentence} {counted}."), *reasons]


def _tell_counted(deploy: Deploy, rules: DeliveryRules) -> str:
    if rules.is_production(deploy.env):
        return "counts in the delivery numbers"
    return f"counts in the delivery numbers where {deploy.env} is chosen"


def _examine_status(deploy: Deploy, about: str, terms: Terms, now: int) -> Iterator[Finding]:
    if deploy.status == "succeeded":
        return
    edit = f"`miniapm deploys edit {deploy.id} --status succeeded` if it is live."
    advice = f"What did not go live is shown, and counts in no number; {edit}"
    if deploy.status == "started":
        left = deploy.deployed_at + terms.timeout - now
        advice = (
            f"Send its end, with the same id or sha; it times out in {tell_span(left)}."
            if left > 0
            else "Send its end, with the same id or sha; the running server gives it up soon."
        )
    elif deploy.status == "timed_out":
        advice = (
            "Whoever sends `started` must send the end, too, within deploys.timeout "
            f"({format_duration(terms.timeout)}); an end that comes late still counts. {edit}"
        )
    yield Finding("note", about, f"{_name(deploy)} {_STATUSES[deploy.status]}.", advice)


def _examine_place(deploy: Deploy, about: str, rules: DeliveryRules) -> Iterator[Finding]:
    if rules.is_production(deploy.env):
        return
    yield Finding(
        "note",
        about,
        f"It went to {deploy.env}, which is none of the production environments "
        f"({', '.join(rules.production)}): the delivery numbers have it only where {deploy.env} is "
        "chosen.",
        f"Add {deploy.env} to the setting delivery.production_environments if it is one, or mend "
        f"the deploy: `miniapm deploys edit {deploy.id} --env production`.",
    )


def _examine_marks(deploy: Deploy, about: str) -> Iterator[Finding]:
    if deploy.hidden_at is not None:
        yield Finding(
            "note",
            about,
            f"It is hidden since {to_rfc3339(deploy.hidden_at)}: it stands in no list, graph or "
            "number.",
            f"`miniapm deploys restore {deploy.id}` brings it back.",
        )
    if deploy.is_left_out:
        yield Finding(
            "note",
            about,
            f"Only GitHub told of it, and {deploy.service} in {deploy.env} has deploys from the "
            "API: it is left out of numbers, of windows, and of what was live before.",
            'The setting delivery.github_beside_api = "count" counts such deploys; the same deploy '
            "from both, within 30 minutes and with the same sha, is one.",
        )


def _examine_times(deploy: Deploy, about: str) -> Iterator[Finding]:
    ahead = deploy.deployed_at - deploy.recorded_at
    if ahead > CLOCK_SKEW:
        yield Finding(
            "note",
            about,
            f"Its time is {tell_span(ahead)} after it was recorded: every graph has it so far to "
            "the right.",
            "The sender's clock is ahead, or its timestamp lacks the offset: without one it is "
            f"taken as UTC. `miniapm deploys edit {deploy.id} --timestamp ...` corrects it.",
        )
    elif -ahead > DAY and "import" not in deploy.sources:
        yield Finding(
            "ok",
            about,
            f"It was recorded {tell_span(-ahead)} after its time: graphs show it in ranges that "
            f"hold {to_rfc3339(deploy.deployed_at)}.",
        )


def _examine_twins(connection: Connection, deploy: Deploy, about: str) -> Iterator[Finding]:
    """What was folded into it, and what stands beside it though it may be the same."""
    if len(deploy.sources) > 1:
        yield Finding(
            "ok",
            about,
            f"{' and '.join(deploy.sources)} told of it: these are one deploy, whose id is "
            f"{deploy.id}.",
        )
    rows = connection.execute(
        """/* doctor.find_twins */ select id, deployed_at, status, sources from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and hidden_at is null and id <> :id
            and deployed_at >= :since and deployed_at <= :until
        order by deployed_at limit 3""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "git_sha": deploy.git_sha,
            "id": deploy.id,
            "since": deploy.deployed_at - SAME_DEPLOY_WITHIN,
            "until": deploy.deployed_at + SAME_DEPLOY_WITHIN,
        },
    )
    for twin_id, at, status, sources in rows:
        apart = tell_span(abs(at - deploy.deployed_at)) if at != deploy.deployed_at else "no time"
        yield Finding(
            "note",
            about,
            f"The same commit was deployed to the same place {apart} apart: deploy {twin_id} "
            f"({status}, told by {sources.replace(',', ' and ')}).",
            "If both are one, send the same `id` with each call, or hide one: `miniapm deploys "
            f"delete {twin_id}`.",
        )


def _name(deploy: Deploy) -> str:
    return deploy.name if deploy.name == deploy.short_sha else f"{deploy.name} ({deploy.short_sha})"
