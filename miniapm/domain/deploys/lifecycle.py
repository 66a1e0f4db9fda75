"""What becomes of a deploy: how it opens, what an announcement adds, how its time runs out."""

import msgspec

from miniapm.domain.deploys.values import FOLDED_TEXTS, Announcement, Deploy

_PLACE = frozenset({"git_sha", "env", "service"})


def fold(row: Deploy, a: Announcement, *, same_foreign_id: bool = False) -> Deploy:
    """`row` after `a`: equal to `row` when it said nothing new.

    The same external id, or the API over another source, overwrites what it gives; anything else
    fills what was empty, as does a foreign id where the API has spoken. What only telemetry has
    shown becomes what is announced.
    """
    if row.is_observed:
        return _adopt(row, a)
    same_id = a.own_id is not None and a.own_id == row.external_id
    same_id = same_id or (same_foreign_id and "api" not in row.sources)
    overwrite = same_id or (a.source == "api" and "api" not in row.sources)
    changes: dict[str, object] = {}
    for name in FOLDED_TEXTS:
        value = getattr(a, name)
        if value is not None and (overwrite or getattr(row, name) is None):
            changes[name] = value
    if a.tags and (overwrite or not row.tags):
        changes["tags"] = a.tags
    if row.external_id is None and a.own_id is not None:
        changes["external_id"] = a.own_id
    if same_id:
        changes |= {name: getattr(a, name) for name in _PLACE & a.given}
    elif overwrite and len(a.git_sha) > len(row.git_sha):
        changes["git_sha"] = a.git_sha
    if a.source not in row.sources:
        changes |= {"sources": (*row.sources, a.source), "is_left_out": False}
    folded = msgspec.structs.replace(row, **changes, **_fold_status(row, a, same_id, overwrite))
    if folded == row:
        return row
    return msgspec.structs.replace(folded, updated_at=max(a.received_at, row.updated_at + 1))


def _adopt(row: Deploy, a: Announcement) -> Deploy:
    """As if `a` had come before the telemetry; where it has nothing to say, what a person wrote
    stays."""
    opened = open_deploy(a, row.id)
    names = ("title", "description", "deployer", "url", "repository", "tags")
    return msgspec.structs.replace(
        opened,
        **{name: getattr(opened, name) or getattr(row, name) for name in names},
        hidden_at=row.hidden_at,
        recorded_at=row.recorded_at,
        updated_at=max(a.received_at, row.updated_at + 1),
    )


def _fold_status(row: Deploy, a: Announcement, same_id: bool, overwrite: bool) -> dict[str, object]:
    """Status and times by event time: an end beats `started`, the later end beats the earlier."""
    if a.status == "started":
        return _fold_start(row, a.at)
    if row.status in ("started", "timed_out"):
        begun = row.deployed_at if row.status == "started" else row.started_at
        if begun is not None and begun > a.at:
            # a start after this end began something else, unless only the clocks disagree
            begun = None if a.at_given else a.at
        started_at = begun if a.started_at is None else a.started_at
        return {"status": a.status, "deployed_at": a.at, "started_at": started_at}
    changes: dict[str, object] = {}
    if same_id and a.status != row.status and "status" in a.given:
        if a.at < row.deployed_at:
            return {}
        changes = {"status": a.status, "deployed_at": a.at}
    elif overwrite and a.at_given:
        changes = {"deployed_at": a.at}
    end = a.at if changes else row.deployed_at
    starts = (a.started_at, row.started_at) if overwrite else (row.started_at, a.started_at)
    return {**changes, "started_at": next((s for s in starts if s is not None and s <= end), None)}


def _fold_start(row: Deploy, start: int) -> dict[str, object]:
    if row.status == "started":
        return {"deployed_at": start, "started_at": start} if start < row.deployed_at else {}
    if start > row.deployed_at or (row.started_at is not None and row.started_at <= start):
        return {}
    return {"started_at": start}


def open_deploy(a: Announcement, deploy_id: int) -> Deploy:
    """The new deploy that `a` announces."""
    return Deploy(
        id=deploy_id,
        project_id=a.project_id,
        service=a.service,
        env=a.env,
        git_sha=a.git_sha,
        status=a.status,
        deployed_at=a.at,
        recorded_at=a.received_at,
        updated_at=a.received_at,
        version=a.version,
        external_id=a.own_id,
        title=a.title,
        description=a.description,
        deployer=a.deployer,
        url=a.url,
        repository=a.repository,
        started_at=a.at if a.status == "started" else a.started_at,
        sources=(a.source,),
        key_id=a.key_id,
        tags=a.tags,
    )


def time_out(row: Deploy, timeout: int, now: int) -> Deploy:
    """A started deploy whose end never came."""
    return msgspec.structs.replace(
        row,
        status="timed_out",
        started_at=row.deployed_at,
        deployed_at=row.deployed_at + timeout,
        updated_at=max(now, row.updated_at + 1),
    )
