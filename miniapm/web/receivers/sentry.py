"""sentry-cli's calls: releases and their deploys, at both families of addresses.

Organization and project in the path may be any: the key says whose they are. What is there already
is answered as what is new, so that a job that runs again does not fail.
"""

from miniapm.domain.keys import DEPLOYS_WRITE, READ, SCOPES
from miniapm.domain.receivers.sentry import read_release, read_release_deploy
from miniapm.domain.strict_json import decode_object
from miniapm.storage.connection import Connection
from miniapm.storage.receivers.sentry_release_deploys import (
    ReleaseSender,
    change_release,
    find_release_deploys,
    mend_release_deploy,
    record_release_deploy,
)
from miniapm.storage.receivers.sentry_releases import (
    delete_release,
    find_previous_with_commits,
    find_release_commits,
    find_releases,
    get_release,
)
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_nothing, answer_object
from miniapm.web.receivers.clients import explain_under
from miniapm.web.receivers.sentry_bodies import write_commit, write_deploy, write_release

_explain = explain_under("detail")


async def show_server(call: ForeignCall) -> Answer:
    """`sentry-cli info`: whether the key is good, and for what."""
    key = await call.authorise(*SCOPES)
    return answer_object(200, {"version": "0", "user": None, "auth": {"scopes": list(key.scopes)}})


async def list_repositories(call: ForeignCall) -> Answer:
    """None are known, so that the client reads the commits in its own clone."""
    await call.authorise(DEPLOYS_WRITE, READ)
    return answer_object(200, [])


async def list_releases(call: ForeignCall) -> Answer:
    key = await call.authorise(DEPLOYS_WRITE, READ)
    releases = await call.context.database.read(find_releases, key.project_id)
    return answer_object(200, [write_release(release) for release in releases])


async def post_release(call: ForeignCall) -> Answer:
    """201, for a release that is known, too."""
    return answer_object(201, await _store(call, None))


async def put_release(call: ForeignCall) -> Answer:
    return answer_object(200, await _store(call, call.params["version"]))


async def show_release(call: ForeignCall) -> Answer:
    key = await call.authorise(DEPLOYS_WRITE, READ)
    body = await call.context.database.read(_describe, key.project_id, call.params["version"])
    return answer_object(200, body)


async def remove_release(call: ForeignCall) -> Answer:
    """Forgets a release; its deploys stay."""
    key = await call.authorise(DEPLOYS_WRITE)
    await call.context.database.write(delete_release, key.project_id, call.params["version"])
    return answer_nothing(204)


async def show_previous(call: ForeignCall) -> Answer:
    """Where the client has to begin to read commits; `{}` where there is nothing before."""
    key = await call.authorise(DEPLOYS_WRITE, READ)
    found = await call.context.database.read(
        find_previous_with_commits, key.project_id, call.params["version"]
    )
    if found is None:
        return answer_object(200, {})
    return answer_object(200, write_release(*found))


async def list_commits(call: ForeignCall) -> Answer:
    key = await call.authorise(DEPLOYS_WRITE, READ)
    commits = await call.context.database.read(
        find_release_commits, key.project_id, call.params["version"]
    )
    return answer_object(200, [write_commit(commit) for commit in commits])


async def list_release_deploys(call: ForeignCall) -> Answer:
    key = await call.authorise(DEPLOYS_WRITE, READ)
    deploys = await call.context.database.read(
        find_release_deploys, key.project_id, call.params["version"]
    )
    return answer_object(200, [write_deploy(deploy) for deploy in deploys])


async def post_release_deploy(call: ForeignCall) -> Answer:
    """201 and the deploy; the release need not be known."""
    key = await call.authorise(DEPLOYS_WRITE)
    report = read_release_deploy(
        await call.read_payload(),
        version=call.params["version"],
        project=call.params.get("project"),
    )
    context = call.context
    deploy = await context.database.writer.submit(
        record_release_deploy,
        report,
        ReleaseSender(defaults_of(key), key.service, context.deploy_timeout),
        context.make_id(),
        context.clock(),
        size=len(call.body or b""),
    )
    answer = answer_object(201, write_deploy(deploy))
    page = f"/p/{key.project_slug}/deploys/{deploy.id}".encode()
    return answer._replace(headers=[(b"location", page), *answer.headers])


async def _store(call: ForeignCall, version: str | None) -> dict[str, object]:
    key = await call.authorise(DEPLOYS_WRITE)
    context = call.context
    limits = context.config.limits
    # commits come with the names of all files that they changed
    body = await call.read_body(max(limits.deploy_body_bytes, limits.telemetry_body_bytes))
    project = call.params.get("project")
    report = read_release(decode_object(body), version=version, project=project)
    changed = await context.database.writer.submit(
        change_release, key.project_id, report, context.clock(), size=len(body)
    )
    for deploy_id in changed.to_mend:
        await context.database.writer.submit(
            mend_release_deploy, key.project_id, report.version, deploy_id, context.clock()
        )
    return write_release(changed.release, report.commits or ())


def _describe(connection: Connection, project_id: int, version: str) -> dict[str, object]:
    release = get_release(connection, project_id, version)
    commits = find_release_commits(connection, project_id, version)
    deploys = find_release_deploys(connection, project_id, version)
    return write_release(release, commits, deploys)


def _list_routes() -> tuple[ForeignRoute, ...]:
    families = ("/api/0/organizations/{organization}", "/api/0/projects/{organization}/{project}")
    handlers = (
        ("GET", "/repos", list_repositories),
        ("GET", "/releases", list_releases),
        ("POST", "/releases", post_release),
        ("GET", "/releases/{version}", show_release),
        ("PUT", "/releases/{version}", put_release),
        ("DELETE", "/releases/{version}", remove_release),
        ("GET", "/releases/{version}/previous-with-commits", show_previous),
        ("GET", "/releases/{version}/commits", list_commits),
        ("GET", "/releases/{version}/deploys", list_release_deploys),
        ("POST", "/releases/{version}/deploys", post_release_deploy),
    )
    return (
        ForeignRoute("GET", "/api/0", show_server, _explain),
        *(
            ForeignRoute(method, f"{family}{path}", handler, _explain)
            for family in families
            for method, path, handler in handlers
        ),
    )


SENTRY_ROUTES = _list_routes()
