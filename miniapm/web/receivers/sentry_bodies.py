"""Releases, commits and deploys as Sentry's clients read them."""

from collections.abc import Sequence

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.domain.receivers.sentry import Release


def write_release(
    release: Release, commits: Sequence[Commit] = (), deploys: Sequence[Deploy] = ()
) -> dict[str, object]:
    """`commits` and `deploys` come newest first."""
    return {
        "version": release.version,
        "shortVersion": release.version,
        "status": "open",
        "ref": release.head,
        "url": release.url,
        "dateCreated": to_rfc3339(release.created_at),
        "dateReleased": _instant(release.released_at),
        "lastEvent": None,
        "newGroups": 0,
        "projects": [{"slug": slug, "name": slug} for slug in release.projects],
        "commitCount": len(commits),
        "lastCommit": write_commit(commits[0]) if commits else None,
        "deployCount": len(deploys),
        "lastDeploy": write_deploy(deploys[0]) if deploys else None,
        "authors": [],
        "data": {},
    }


def write_commit(commit: Commit) -> dict[str, object]:
    author = {"name": commit.author} if commit.author else None
    return {
        "id": commit.sha,
        "message": commit.message,
        "dateCreated": _instant(commit.committed_at),
        "author": author,
    }


def write_deploy(deploy: Deploy) -> dict[str, object]:
    return {
        "id": str(deploy.id),
        "environment": deploy.env,
        "name": deploy.title,
        "url": deploy.url,
        "dateStarted": _instant(deploy.started_at),
        "dateFinished": to_rfc3339(deploy.deployed_at),
    }


def _instant(instant: int | None) -> str | None:
    return None if instant is None else to_rfc3339(instant)
