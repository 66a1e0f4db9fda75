"""The deploys of the shop as they are announced."""

from functools import cache
from hashlib import sha256
from random import Random

from miniapm.clock import HOUR, MINUTE, SECOND
from miniapm.domain.demo.values import DemoDeploy, Lane
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.domain.spans.values import ReleaseName

REPOSITORY = "https://git.example.com/shop"
_HEARD_AFTER = 2 * SECOND
_SHA_DIGITS = 40


@cache
def make_sha(service: str, version: str, place: int = 0) -> str:
    """The commit of a version; `place` counts those before it."""
    return sha256(f"{service} {version} {place}".encode()).hexdigest()[:_SHA_DIGITS]


@cache
def name_release(lane: Lane, version: str) -> ReleaseName:
    """What telemetry calls a version in a lane."""
    return ReleaseName(lane.service, lane.env, version, make_sha(lane.service, version))


def announce(deploy: DemoDeploy, project_id: int, now: int, rng: Random) -> Announcement:
    """What the pipeline reports of a deploy; `now` in µs is what its time counts from."""
    at = now + deploy.at
    service = deploy.lane.service
    written = at - deploy.took
    commits = []
    for place, change in enumerate(deploy.changes):
        written -= rng.randrange(20 * MINUTE, 5 * HOUR)
        sha = make_sha(service, deploy.version, place)
        commits.append(Commit(sha, written, change.subject, change.author))
    return Announcement(
        project_id=project_id,
        service=service,
        env=deploy.lane.env,
        git_sha=make_sha(service, deploy.version),
        status=deploy.status,
        at=at,
        at_given=True,
        received_at=at + _HEARD_AFTER,
        version=deploy.version,
        started_at=at - deploy.took,
        title=deploy.title,
        description=deploy.description or None,
        deployer=deploy.deployer,
        repository=f"{REPOSITORY}/{service}",
        tags=deploy.tags,
        commits=tuple(commits),
    )
