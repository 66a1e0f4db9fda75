"""A deploy as it is shown, and as the JSON fields that the API answers, `deploys --json` prints and
an export writes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.kinds import KindReason
from miniapm.domain.deploys.values import Commit, Deploy, Source
from miniapm.domain.impact.values import StoredVerdict


class ShownDeploy(NamedTuple):
    """A deploy with what is derived from those around it, and from its commits.

    `previous_id` is the deploy that was live before it; `title` the one given, else the first line
    of the head commit's message; `first_seen_at` says when telemetry showed it first; `verdict`
    how it was judged, None before it was looked at.
    """

    deploy: Deploy
    kind: KindReason
    previous_id: int | None
    title: str | None
    first_seen_at: int | None = None
    verdict: StoredVerdict | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Who told of it; what telemetry has shown is not written into the deploy itself."""
        sources = self.deploy.sources
        is_told = self.first_seen_at is None or "telemetry" in sources
        return sources if is_told else (*sources, "telemetry")


def to_json_fields(shown: ShownDeploy, project_slug: str, base_url: str) -> dict[str, Any]:
    """The Deploy of the contract, section 2.3: with the `title` that is shown.

    `base_url` has no slash at its end.
    """
    deploy, kind, previous_id = shown.deploy, shown.kind, shown.previous_id
    return {
        **to_recorded_fields(deploy, project_slug),
        "title": shown.title,
        "sources": list(shown.sources),
        "first_seen_at": _instant(shown.first_seen_at),
        "kind": kind.kind,
        "kind_reason": kind.reason,
        "previous_id": None if previous_id is None else str(previous_id),
        "verdict": None if shown.verdict is None else shown.verdict.reached,
        "page": f"{base_url}/p/{project_slug}/deploys/{deploy.id}",
    }


def to_recorded_fields(deploy: Deploy, project_slug: str) -> dict[str, Any]:
    """What is stored, without what is derived from the deploys around it."""
    return {
        "id": str(deploy.id),
        "external_id": deploy.external_id,
        "project": project_slug,
        "service": deploy.service,
        "env": deploy.env,
        "git_sha": deploy.git_sha,
        "version": deploy.version,
        "deployer": deploy.deployer,
        "title": deploy.title,
        "description": deploy.description,
        "tags": list(deploy.tags),
        "url": deploy.url,
        "repository": deploy.repository,
        "status": deploy.status,
        "timestamp": to_rfc3339(deploy.deployed_at),
        "started_at": _instant(deploy.started_at),
        "recorded_at": to_rfc3339(deploy.recorded_at),
        "sources": list(deploy.sources),
        "hidden_at": _instant(deploy.hidden_at),
        "overruled": deploy.overruled,
        "is_left_out": deploy.is_left_out,
    }


def to_commit_fields(commit: Commit) -> dict[str, Any]:
    """A commit as `POST /ingest/deploys` takes it."""
    return {
        "sha": commit.sha,
        "timestamp": _instant(commit.committed_at),
        "message": commit.message,
        "author": commit.author,
        **({"approximate": True} if commit.is_approximate else {}),
    }


def to_changed_fields(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a correction under the names of the API, instants as it writes them."""
    return {
        "timestamp" if name == "deployed_at" else name: (
            _instant(value) if name.endswith("_at") else value
        )
        for name, value in columns.items()
    }


def _instant(instant: int | None) -> str | None:
    return None if instant is None else to_rfc3339(instant)
