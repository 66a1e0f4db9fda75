"""What telemetry and the verdict tell of a live deploy: why graphs are empty around it, or why
nothing was said of what it did."""

from collections.abc import Iterator

from miniapm.clock import HOUR, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.doctor import Finding, tell_span
from miniapm.domain.impact.unjudged import is_awaited, tell_unjudged
from miniapm.domain.names import find_nearest
from miniapm.domain.releases import is_named, is_same, label_deploy, label_release
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection
from miniapm.storage.impact.shown import find_judgement
from miniapm.storage.releases import Release, find_releases

_LATE = HOUR
_MOST_REASONS = 3


def examine_telemetry_of(connection: Connection, deploy: Deploy, about: str) -> Iterator[Finding]:
    """Whether its version was seen to serve."""
    releases = find_releases(connection, deploy.project_id, deploy.env, deploy.service)
    if not releases:
        yield _tell_silence(connection, deploy, about)
        return
    label = label_deploy(deploy.git_sha, deploy.version)
    names = [ReleaseName(r.service, r.env, r.version, r.revision) for r in releases]
    if not any(is_named(name) for name in names):
        yield Finding(
            "note",
            about,
            f"Telemetry of {deploy.service} in {deploy.env} does not say which version it is of.",
            "Set `service.version`, or `vcs.ref.head.revision` for the commit, where the "
            "application runs.",
        )
        return
    own = [
        release
        for release, name in zip(releases, names, strict=True)
        if release.deploy_id == deploy.id or is_same(label, label_release(name))
    ]
    if not own:
        yield _tell_unseen(deploy, about, releases)
        return
    first = min(release.first_seen_at for release in own)
    if first < deploy.deployed_at - _LATE:
        yield Finding(
            "ok",
            about,
            f"Its version was seen {tell_span(deploy.deployed_at - first)} before its time.",
            "Each build needs a version of its own: with the same one, telemetry does not tell old "
            "from new.",
        )
    elif first > deploy.deployed_at + _LATE:
        yield Finding(
            "note",
            about,
            f"Its version was seen only {tell_span(first - deploy.deployed_at)} after its time: "
            "the verdict counts from an hour after it at the latest.",
            "Announce it when it goes live, and let the machines' clocks follow a time server.",
        )


def _tell_silence(connection: Connection, deploy: Deploy, about: str) -> Finding:
    lanes = {(r.service, r.env) for r in find_releases(connection, deploy.project_id)}
    sentence = f"No telemetry of {deploy.service} in {deploy.env} ever came: graphs are empty."
    if not lanes:
        advice = "The overview of the project shows what to set where the application runs."
        return Finding("note", about, sentence, advice)
    words = {f"{service} in {env}" for service, env in lanes}
    near = find_nearest(f"{deploy.service} in {deploy.env}", words, cutoff=0.5)
    return Finding(
        "note",
        about,
        sentence,
        f"It comes from {near or sorted(words)[0]}: if that is the same, use one name in both "
        "(`service.name` and `deployment.environment.name`, `service` and `env`).",
    )


def _tell_unseen(deploy: Deploy, about: str, releases: list[Release]) -> Finding:
    newest = max(releases, key=lambda release: (release.last_seen_at, release.id))
    name = newest.version or newest.revision[:12]
    return Finding(
        "note",
        about,
        f"Telemetry never showed its version ({deploy.version or deploy.short_sha}); last it had "
        f"{name or 'one without a name'}, at {to_rfc3339(newest.last_seen_at)}.",
        "Nobody may have used it yet. Else send the commit in both (`git_sha`, and "
        "`vcs.ref.head.revision` in the telemetry), or the same `version` and `service.version`.",
    )


def examine_verdict(
    connection: Connection, deploy: Deploy, about: str, judged_since: int
) -> Iterator[Finding]:
    """How it was judged, or why it was not."""
    impact, review, _ = find_judgement(connection, deploy.project_id, deploy.id)
    if impact is None:
        awaited = is_awaited(deploy, judged_since)
        yield Finding(
            "ok" if awaited else "note",
            about,
            tell_unjudged(deploy, judged_since),
            "A running server judges it when its windows have filled."
            if awaited
            else "The minutes are kept for as long as the setting retention.minutes says; a deploy "
            "of before is not judged any more.",
        )
        return
    if impact.state == "pending":
        when = impact.next_look_at
        until = f" It is pending until {to_rfc3339(when)}." if when else ""
        yield Finding("ok", about, f"{impact.sentence}{until}")
    elif impact.state == "superseded":
        yield Finding(
            "note",
            about,
            impact.sentence,
            "The next deploy of the same service and environment came first: what both did "
            "together is in its verdict.",
        )
    elif impact.verdict == "not_enough_data":
        yield Finding(
            "note",
            about,
            " ".join([impact.sentence, *impact.reasons[:_MOST_REASONS]]),
            "More requests make smaller changes visible; errors are judged whatever the traffic.",
        )
    else:
        yield Finding("ok", about, f"Its verdict is {impact.verdict} ({impact.state}).")
    if review is not None and review.decision == "dismiss":
        yield Finding(
            "ok",
            about,
            f"{review.actor} dismissed the verdict: it does not make the deploy a failed one.",
        )
