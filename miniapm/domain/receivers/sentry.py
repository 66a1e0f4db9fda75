"""What sentry-cli says of releases and their deploys.

A release is kept until it is deployed; a deploy of it is one of ours, with the commit and the
commits that the release names.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from miniapm.domain.deploys.commits import is_sha
from miniapm.domain.deploys.payload import MAX_COMMITS
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.texts import find_control, find_template
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text, tidy_url
from miniapm.domain.receivers.translating import announce_as
from miniapm.exceptions import Invalid

_LONGEST = 200
_MOST_PROJECTS = 50
_MOST_READ = 3 * MAX_COMMITS
_THEIR_NAMES = {
    "git_sha": "version",
    "env": "environment",
    "title": "name",
    "timestamp": "dateFinished",
    "started_at": "dateStarted",
    "service": "projects",
}


class ReleaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one call says of a release; None is not said. `commits` come newest first."""

    version: str
    projects: tuple[str, ...] = ()
    head: str | None = None
    commits: tuple[Commit, ...] | None = None
    url: str | None = None
    released_at: int | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release as kept. `head` is its commit, where anybody told it."""

    version: str
    created_at: int
    projects: tuple[str, ...] = ()
    head: str | None = None
    url: str | None = None
    released_at: int | None = None

    @property
    def git_sha(self) -> str:
        """Its commit; where nobody says it, the version stands for it."""
        return self.head or self.version


class DeployReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one call says of a deploy of a release; `fields` are those of `POST /ingest/deploys`."""

    version: str
    projects: tuple[str, ...]
    fields: Mapping[str, Any]


def read_release(
    value: Mapping[str, Any], *, version: str | None = None, project: str | None = None
) -> ReleaseReport:
    """A new or changed release; `version` and `project` are those of the address. Invalid names
    every bad field."""
    payload = Payload(value)
    named = version if version is not None else payload.required("version")
    _check_version(named, payload.problems)
    commits = _read_commits(payload) if payload.has("commits") else None
    refs = [ref.text("commit") for ref in payload.items("refs")]
    heads = [commits[0].sha if commits else None, *refs, payload.text("ref")]
    report = ReleaseReport(
        version=named,
        projects=_read_projects(value, project),
        head=next((head for head in heads if head and is_sha(head)), None),
        commits=commits,
        url=tidy_url(payload.text("url")),
        released_at=payload.instant("dateReleased"),
    )
    payload.refuse_bad()
    return report


def read_release_deploy(
    value: Mapping[str, Any], *, version: str, project: str | None = None
) -> DeployReport:
    """A deploy of the release `version`. Invalid names every bad field."""
    problems: dict[str, str] = {}
    _check_version(version, problems)
    if problems:
        raise Invalid(f"version {problems['version']}.", problems)
    names = ("environment", "name", "url", "dateStarted", "dateFinished")
    ours = {theirs: name for name, theirs in _THEIR_NAMES.items()}
    fields = {ours.get(name, name): value.get(name) for name in names}
    return DeployReport(version=version, projects=_read_projects(value, project), fields=fields)


def announce_release_deploy(
    report: DeployReport, release: Release, key_service: str | None, defaults: Defaults, now: int
) -> Announcement:
    """The deploy. Its service is the key's, else the one project of the deploy or its release, else
    the default."""
    projects = report.projects or release.projects
    service = projects[0] if len(projects) == 1 and key_service is None else None
    given = {name: value for name, value in report.fields.items() if value is not None}
    fields = {
        "url": release.url,
        **given,
        "git_sha": release.git_sha,
        "version": report.version,
        "service": service,
    }
    return announce_as(fields, _THEIR_NAMES, defaults, now)


def merge_release(known: Release, report: ReleaseReport) -> Release:
    """`known` after `report`: what it says overwrites, projects add up."""
    projects = dict.fromkeys((*known.projects, *report.projects))
    return Release(
        version=known.version,
        created_at=known.created_at,
        projects=tuple(projects)[:_MOST_PROJECTS],
        head=report.head or known.head,
        url=report.url or known.url,
        released_at=report.released_at if report.released_at is not None else known.released_at,
    )


def join_commits(releases: Iterable[Sequence[Commit]]) -> tuple[Commit, ...]:
    """The commits of several releases, each once, as many as a deploy keeps.

    Takes no more of `releases` than that needs, nor many that repeat each other.
    """
    commits: dict[str, Commit] = {}
    read = 0
    for release in releases:
        read += len(release)
        for commit in release:
            commits.setdefault(commit.sha, commit)
        if len(commits) >= MAX_COMMITS or read >= _MOST_READ:
            break
    return tuple(commits.values())[:MAX_COMMITS]


def _check_version(version: str, problems: dict[str, str]) -> None:
    template = find_template(version)
    if "version" in problems:
        return
    if not version.strip() or len(version) > _LONGEST:
        problems["version"] = f"must be 1 to {_LONGEST} characters"
    elif find_control(version) or "/" in version:
        problems["version"] = "holds a character that no version may have"
    elif template is not None:
        problems["version"] = f"holds {template!r}, which was not filled in before sending"


def _read_projects(value: Mapping[str, Any], project: str | None) -> tuple[str, ...]:
    """Slugs; Sentry's numbers say nothing here."""
    named = value.get("projects")
    named = named if isinstance(named, list) else []
    slugs = [tidy_name(one) for one in named if isinstance(one, str)]
    found = [slug for slug in slugs if slug and len(slug) <= 100 and not slug.isdigit()]
    if not found and project:
        found = [project[:100]]
    return tuple(dict.fromkeys(found))[:_MOST_PROJECTS]


def _read_commits(payload: Payload) -> tuple[Commit, ...]:
    commits: dict[str, Commit] = {}
    for item in payload.items("commits")[:MAX_COMMITS]:
        author = tidy_name(item.text("author_name") or item.text("author_email"))
        commit = Commit(
            item.sha("id"), item.instant("timestamp"), tidy_text(item.text("message")), author
        )
        commits.setdefault(commit.sha, commit)
    return tuple(commits.values())
