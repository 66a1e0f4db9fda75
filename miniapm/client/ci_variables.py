"""The environment variables of deploy tools that are read, by name, and no others.

Deploy hooks run with secrets in their environment (Kamal merges all of them), so nothing outside
these tables is looked at, and nothing is ever dumped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

_KAMAL = {
    # field      the first of these that is set
    "version": ("KAMAL_VERSION",),
    "env": ("KAMAL_DESTINATION",),
    "service": ("KAMAL_SERVICE",),
    "deployer": ("KAMAL_PERFORMER",),
    "timestamp": ("KAMAL_RECORDED_AT",),
    # and KAMAL_RUNTIME for started_at, KAMAL_COMMAND to know a rollback
}
_HEROKU = {
    "sha": ("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT"),
    "version": ("HEROKU_RELEASE_VERSION",),
    "service": ("HEROKU_APP_NAME",),
}
_GITHUB = {
    "sha": ("GITHUB_SHA",),
    "deployer": ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
    # and GITHUB_REF_NAME with GITHUB_REF_TYPE for version; GITHUB_SERVER_URL, GITHUB_REPOSITORY,
    # GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT for url and repository
}
_GITLAB = {
    "sha": ("CI_COMMIT_SHA",),
    "version": ("CI_COMMIT_TAG",),
    "env": ("CI_ENVIRONMENT_NAME",),
    "deployer": ("GITLAB_USER_LOGIN",),
    "url": ("CI_JOB_URL", "CI_PIPELINE_URL"),
    "repository": ("CI_PROJECT_URL",),
}

_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})(?:_uncommitted_[0-9a-f]+)?")


@dataclass(frozen=True, slots=True)
class Variables:
    """What the environment tells about a deploy. `id` is not among it: one run of a pipeline
    deploys to several environments and services, and an id shared by them would make them one
    deploy; sha, service and env tell them apart, and the run's address is in `url`.
    """

    sha: str | None = None
    version: str | None = None
    env: str | None = None
    service: str | None = None
    deployer: str | None = None
    url: str | None = None
    repository: str | None = None
    timestamp: str | None = None
    started_at: str | None = None

    def or_else(self, other: "Variables") -> "Variables":
        """This, with the gaps filled from another source."""
        names = (field.name for field in fields(self))
        return Variables(**{name: getattr(self, name) or getattr(other, name) for name in names})


def read_variables(environ: Mapping[str, str]) -> Variables:
    """What Kamal, Heroku, GitHub and GitLab say, in this order: the tool that deploys knows what
    is deployed better than the pipeline that started it. It is the other way round with who did
    it: in a pipeline, Kamal sees only the runner's own user.
    """
    tools = (_kamal(environ), _take(environ, _HEROKU))
    pipelines = (_github(environ), _take(environ, _GITLAB))
    found = Variables(deployer=pipelines[0].deployer or pipelines[1].deployer)
    for source in (*tools, *pipelines):
        found = found.or_else(_about_the_same_revision(found, source))
    return found


def _about_the_same_revision(found: Variables, source: Variables) -> Variables:
    """The source without its version where that belongs to something else than what was found."""
    if (found.sha or found.version) and source.sha != found.sha:
        return replace(source, sha=None, version=None)
    return source


def _kamal(environ: Mapping[str, str]) -> Variables:
    found = _take(environ, _KAMAL)
    if found.version:
        if commit := _COMMIT.fullmatch(found.version):
            # A clean tree's version is the bare sha: git can describe that better. A dirty one's
            # stays, because the application reports it as its version.
            clean = commit[1] == found.version
            found = replace(found, sha=commit[1], version=None if clean else found.version)
        elif environ.get("KAMAL_COMMAND") == "rollback":
            # The checkout is not what goes live; the version is all that names it.
            found = replace(found, sha=found.version)
    timestamp, started_at = _kamal_times(found.timestamp or "", environ.get("KAMAL_RUNTIME", ""))
    return replace(found, timestamp=timestamp, started_at=started_at)


def _kamal_times(recorded_at: str, runtime: str) -> tuple[str | None, str | None]:
    """Kamal tells when its hook began and, after a deploy, how many seconds that had taken."""
    try:
        finish = datetime.fromisoformat(recorded_at)
    except ValueError:
        return None, None
    if not (runtime.isascii() and runtime.isdigit() and len(runtime) < 7):
        return recorded_at, None
    start = finish - timedelta(seconds=int(runtime))
    return recorded_at, start.isoformat().replace("+00:00", "Z")


def _github(environ: Mapping[str, str]) -> Variables:
    found = _take(environ, _GITHUB)
    if environ.get("GITHUB_REF_TYPE") == "tag":  # a branch's name is no version
        found = replace(found, version=_first(environ, ("GITHUB_REF_NAME",)))
    server, name = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    if not (server and name):
        return found
    repository = f"{server}/{name}"
    run, attempt = environ.get("GITHUB_RUN_ID"), environ.get("GITHUB_RUN_ATTEMPT")
    url = f"{repository}/actions/runs/{run}" if run else None
    if url and attempt:
        url += f"/attempts/{attempt}"
    return replace(found, repository=repository, url=url)


def _take(environ: Mapping[str, str], table: Mapping[str, tuple[str, ...]]) -> Variables:
    return Variables(**{field: _first(environ, names) for field, names in table.items()})


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first variable that holds text a field may hold."""
    for name in names:
        value = environ.get(name, "").strip()
        if value and value.isprintable():
            return value[:200]
    return None
