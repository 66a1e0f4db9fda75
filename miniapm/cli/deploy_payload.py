"""What `miniapm deploy` sends: flags beat variables, variables beat git."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from miniapm.cli.deploy_commits import Asker, find_commits
from miniapm.client.ci_variables import Variables, read_variables
from miniapm.client.deadline import Deadline
from miniapm.client.git import (
    Git,
    GitFailed,
    NoRepository,
    is_sha,
    public_address,
    same_revision,
)
from miniapm.client.server import Server
from miniapm.exceptions import Invalid


@dataclass(frozen=True, slots=True)
class Given:
    """The flags; None where one was not given."""

    sha: str | None = None
    version: str | None = None
    env: str | None = None
    service: str | None = None
    deployer: str | None = None
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    status: str | None = None
    timestamp: str | None = None
    started_at: str | None = None
    url: str | None = None
    repository: str | None = None
    id: str | None = None
    commits: bool = True


@dataclass(frozen=True, slots=True)
class Payload:
    """The body to send, and what a person should know of how it was found."""

    body: dict[str, object]
    notes: tuple[str, ...] = ()


def find_payload(
    given: Given, environ: Mapping[str, str], server: Server | None, deadline: Deadline
) -> Payload:
    """Everything known of this deploy; `Invalid` when not even the commit is. `server` is asked
    for the previous deploy, and left alone when it is None.
    """
    git = Git(deadline)
    variables = read_variables(environ)
    named = _resolve(given.sha, git) if given.sha else _Named(_find_sha(variables, git))
    sha = named.sha
    if variables.sha and not same_revision(variables.sha, sha):
        variables = replace(variables, version=None)  # of another revision than the flag's
    if given.timestamp:
        variables = replace(variables, timestamp=None, started_at=None)
    repository = given.repository or variables.repository or git.repository()
    body: dict[str, object] = {
        "git_sha": sha,
        "version": given.version or named.tag or variables.version or _describe(sha, git),
        "env": given.env or variables.env,
        "service": given.service or variables.service,
        "deployer": given.deployer or variables.deployer or git.user_name(),
        "title": given.title,
        "description": given.description,
        "tags": list(given.tags),
        "status": given.status,
        "timestamp": given.timestamp or variables.timestamp,
        "started_at": given.started_at or variables.started_at,
        "url": given.url or variables.url,
        "repository": public_address(repository) if repository else None,
        "id": given.id,
    }
    notes = named.notes
    if given.commits and is_sha(sha):
        commits, more = find_commits(sha, git, Asker(server, deadline, body, given.timestamp))
        body["commits"] = commits
        notes += more
    return Payload({name: value for name, value in body.items() if value}, notes)


@dataclass(frozen=True, slots=True)
class _Named:
    """The commit, and the tag by which it was named."""

    sha: str
    tag: str | None = None
    notes: tuple[str, ...] = ()


def _resolve(name: str, git: Git) -> _Named:
    """A tag, a branch or the beginning of a sha as the whole sha; as it is where git knows none."""
    try:
        if tagged := git.find_tag(name):
            return _Named(tagged, name)
        if found := git.find(name):
            return _Named(found)
    except NoRepository:
        return _Named(name)
    except GitFailed as error:
        return _Named(name, notes=() if is_sha(name) else (f"{name} is sent as it is: {error}",))
    if is_sha(name):
        return _Named(name)
    unknown = f"{name} is sent as it is: the repository here has no such tag, branch or commit"
    return _Named(name, notes=(unknown,))


def _find_sha(variables: Variables, git: Git) -> str:
    named = variables.sha or variables.version
    if named and is_sha(named):
        return named
    try:
        if named and (found := git.find(named)):
            return found
        return variables.sha or _capistrano_revision() or git.head()
    except GitFailed as error:
        if fallback := variables.sha or _capistrano_revision():
            return fallback
        raise Invalid(f"there is no commit to name ({error}); give --sha") from None


def _capistrano_revision() -> str | None:
    """What Capistrano writes into every release; a checkout of its own knows better."""
    try:
        if Path(".git").exists():
            return None
        with Path("REVISION").open(encoding="ascii", errors="replace") as file:
            revision = file.read(200).strip()
    except OSError:
        return None
    return revision if is_sha(revision) else None


def _describe(sha: str, git: Git) -> str | None:
    try:
        return git.describe(sha) if is_sha(sha) else None
    except GitFailed:
        return None
