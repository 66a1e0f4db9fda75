"""Versions as telemetry shows them, and which deploys they are.

A release that nobody announced becomes a deploy of the source `telemetry`, whose time is when it
was first seen. An announced deploy stays as it was announced; its releases remember it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.commits import FULL_SHAS, is_same_commit, is_sha
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.spans.values import OTHER, ReleaseName

NEWS_FOR = HOUR
"""A release that came longer ago, and was not recorded then, is no news any more."""
MOST_OF_LANE = 10
MOST_OF_PROJECT = 100
"""Deploys that telemetry may add within an hour: versions made up for each start are no deploys."""
# what runs there is tried, not deployed
NOT_DEPLOYED_TO = frozenset({"test", "tests", "testing", "ci", "local"})

_SAME_WITHIN = DAY


class SeenRelease(NamedTuple):
    """A release, when it was first seen by event time, and when that came to us (µs)."""

    name: ReleaseName
    first_seen_at: int
    recorded_at: int


class Label(NamedTuple):
    """What one version of a service is called: its commit, "" where nobody says; and all names."""

    sha: str
    names: tuple[str, ...]


def label_release(name: ReleaseName) -> Label:
    """`revision` is the commit; a version may be one, too, but need not."""
    sha = name.revision if is_sha(name.revision) else ""
    return Label(sha, tuple(filter(None, (name.revision, name.version))))


def label_deploy(git_sha: str, version: str | None) -> Label:
    """Some write the version into `git_sha`: then nobody says the commit."""
    sha = git_sha if is_sha(git_sha) and git_sha != version else ""
    return Label(sha, tuple(filter(None, (git_sha, version))))


def is_same(one: Label, other: Label) -> bool:
    """Whether both are one version. Commits decide where both sides have them, by a prefix of at
    least seven; else any name that both have."""
    if one.sha and other.sha:
        return is_same_commit(one.sha, other.sha)
    return any(_is_same_name(a, b) for a in one.names for b in other.names)


def _is_same_name(one: str, other: str) -> bool:
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    return len(long) in FULL_SHAS and is_sha(long) and is_same_commit(short, long)


def may_be_recorded(release: SeenRelease, now: int) -> bool:
    """Whether a release that no deploy explains is one itself."""
    if not is_named(release.name) or release.name.env.lower() in NOT_DEPLOYED_TO:
        return False
    return release.recorded_at >= now - NEWS_FOR


def is_named(name: ReleaseName) -> bool:
    """Whether telemetry said which version it is; what came after the cap on names did not."""
    if OTHER in (name.service, name.env) or (name.version == OTHER and not name.revision):
        return False
    return bool(name.version or name.revision)


def find_announced_before(rows: Iterable[Deploy], at: int) -> Deploy | None:
    """The latest announced deploy until `at`; a hidden one only where there is no other."""
    before = (r for r in rows if not r.is_observed and r.deployed_at <= at)
    return max(before, key=lambda r: (r.hidden_at is None, r.deployed_at, r.id), default=None)


def find_announced_after(rows: Iterable[Deploy], at: int) -> Deploy | None:
    """The earliest announced deploy after `at`."""
    after = (r for r in rows if not r.is_observed and r.deployed_at > at)
    return min(after, key=lambda r: (r.deployed_at, r.id), default=None)


def find_observed(release: SeenRelease, rows: Sequence[Deploy]) -> list[Deploy]:
    """The deploys among those that only telemetry has shown which `release` is another side of,
    the nearest first.

    A version without a commit that was there a day before the first commit was told is not that
    commit: many never change their version.
    """
    at, has_sha = release.first_seen_at, bool(label_release(release.name).sha)
    found = []
    for row in rows:
        row_has_sha = bool(label_deploy(row.git_sha, row.version).sha)
        is_old = (has_sha and not row_has_sha and at - row.deployed_at > _SAME_WITHIN) or (
            row_has_sha and not has_sha and row.deployed_at - at > _SAME_WITHIN
        )
        if row.is_observed and not is_old:
            found.append(row)
    return sorted(found, key=lambda r: (abs(r.deployed_at - at), r.id))


def may_be_part_of(observed: Deploy, deploy: Deploy) -> bool:
    """Whether two deploys that a release has tied together may be one: near in time, and not of two
    commits."""
    one, other = (label_deploy(d.git_sha, d.version) for d in (observed, deploy))
    if one.sha and other.sha and not is_same(one, other):
        return False
    return abs(observed.deployed_at - deploy.deployed_at) <= _SAME_WITHIN


def to_release(observed: Deploy) -> SeenRelease:
    """The release that an observed deploy was recorded for, as far as it still tells."""
    label = label_deploy(observed.git_sha, observed.version)
    name = ReleaseName(observed.service, observed.env, observed.version or "", label.sha)
    return SeenRelease(name, observed.deployed_at, observed.recorded_at)


def open_observed(project_id: int, release: SeenRelease, deploy_id: int, now: int) -> Deploy:
    """The deploy that a release shows; where the commit is not known, the version stands for it."""
    name = release.name
    return Deploy(
        id=deploy_id,
        project_id=project_id,
        service=name.service,
        env=name.env,
        git_sha=name.revision or name.version,
        version=name.version or None,
        status="succeeded",
        deployed_at=release.first_seen_at,
        recorded_at=now,
        updated_at=now,
        sources=("telemetry",),
    )


def add_release(row: Deploy, release: SeenRelease, now: int) -> Deploy:
    """An observed deploy after another release of it: `row` itself when it tells nothing new."""
    name, label = release.name, label_release(release.name)
    # both are one commit, if both tell it: then the longer form
    known = label_deploy(row.git_sha, row.version).sha
    added = msgspec.structs.replace(
        row,
        git_sha=label.sha if len(label.sha) > len(known) else row.git_sha,
        version=row.version or name.version or None,
        deployed_at=min(row.deployed_at, release.first_seen_at),
    )
    if added == row:
        return row
    return msgspec.structs.replace(added, updated_at=max(now, row.updated_at + 1))
