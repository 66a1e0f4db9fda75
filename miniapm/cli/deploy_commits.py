"""The commits that a deploy brings: those since the revision that is live where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from miniapm.client.commits import MOST_COMMITS, Commit, cut_message
from miniapm.client.deadline import Deadline
from miniapm.client.finding import USUAL_ENV, read_key_place
from miniapm.client.git import Git, GitFailed, NoRepository, is_sha, same_revision
from miniapm.client.remote import Found, explain, get_json
from miniapm.client.server import Server

_MUCH_TEXT = 500_000  # bytes of messages and authors; the server takes bodies of 1 MiB


@dataclass(frozen=True, slots=True)
class _Previous:
    """The revision that is live; `sha` is None where nothing is, `note` says why it is unknown."""

    sha: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the server which revision is live where this deploy goes."""

    server: Server | None
    deadline: Deadline
    body: Mapping[str, object]
    until: str | None

    def find_previous(self) -> _Previous:
        if self.server is None:
            return _Previous(note="MINIAPM_URL and MINIAPM_API_KEY are needed to ask for it")
        place = {name: str(self.body[name]) for name in ("env", "service") if self.body[name]}
        if len(place) < 2:
            key = get_json(self.server, "/api/v1/key", self.deadline, retry=False)
            if not isinstance(key, Found):
                return _Previous(note=explain(key))
            if not isinstance(key.value, dict) or not isinstance(key.value.get("project"), str):
                return _Previous(note="the server's answer is no key")
            place = {**_read_place(key.value), **place}
        # the newest may be this very deploy, told of by others
        query = {**place, "status": "succeeded", "limit": "10"}
        if self.until:
            query["until"] = self.until
        answer = get_json(self.server, "/api/v1/deploys", self.deadline, query, retry=False)
        if not isinstance(answer, Found):
            return _Previous(note=explain(answer))
        return _newest(answer.value, str(self.body["git_sha"]))


def _read_place(key: Mapping[str, str]) -> dict[str, str]:
    """Where the server puts what a key records without an env or a service."""
    return {"env": USUAL_ENV, "service": key["project"], **read_key_place(key)}


def _newest(value: object, own_sha: str) -> _Previous:
    """The newest of the server's answer, but for `own_sha` where only webhooks or telemetry have
    told of it."""
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return _Previous(note="the server's answer is no list of deploys")
    for item in items:
        sha = str(item.get("git_sha"))
        is_own = _is_only_seen(item) and same_revision(sha, own_sha)
        if not is_own and not item.get("is_left_out"):
            return _Previous(sha=sha)
    return _Previous()


def _is_only_seen(item: Mapping[str, object]) -> bool:
    """Whether webhooks or telemetry told of a deploy, and nobody by the API."""
    sources = item.get("sources")
    return (
        isinstance(sources, list)
        and bool(sources)
        and not {"api", "import"} & set(map(str, sources))
    )


def find_commits(
    sha: str, git: Git, asker: Asker
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """What this deploy brings, newest first, and notes for a person.

    The head alone, marked so, where it cannot be known. A first deploy brings the head alone, too:
    the whole history would give an absurd lead time.
    """
    commits, notes = _find(sha, git, asker)
    dated = [commit for commit in commits if commit.is_dated]
    if left_out := len(commits) - len(dated):
        what = "1 commit is" if left_out == 1 else f"{left_out:,} commits are"
        notes += (f"{what} left out: git has no time for it that can be true",)
    return [commit.to_fields() for commit in _within_limits(dated)], notes


def _find(sha: str, git: Git, asker: Asker) -> tuple[list[Commit], tuple[str, ...]]:
    try:
        if not git.find(sha):
            return [], (f"commits are left out: the repository here has no commit {sha[:12]}",)
        previous = asker.find_previous()
        if previous.sha and same_revision(previous.sha, sha):
            return [], ()
        since = _find_base(previous.sha, sha, git)
        if since is None:
            head = [replace(one, approximate=True) for one in git.commits(sha, 1)]
            return head, _why_head_alone(previous, git)
        commits = git.commits(f"{since}..{sha}", MOST_COMMITS + 1)
        cut = (f"only the newest {MOST_COMMITS:,} commits are sent",)
        return commits[:MOST_COMMITS], cut if len(commits) > MOST_COMMITS else ()
    except NoRepository:
        return [], ()
    except GitFailed as error:
        return [], (f"commits are left out: {error}",)


def _find_base(previous: str | None, sha: str, git: Git) -> str | None:
    """The previous deploy's commit, where git knows all that was committed since.

    Telemetry names deploys by their version, which often is a tag.
    """
    since = previous if previous and is_sha(previous) else previous and git.find_tag(previous)
    if not since or not git.share_history(since, sha):
        return None
    if git.is_shallow() and git.reaches_edge(f"{since}..{sha}"):
        return None
    return since


def _why_head_alone(previous: _Previous, git: Git) -> tuple[str, ...]:
    head_alone = "only the head commit is sent"
    if previous.note:
        return (f"{head_alone}: the previous deploy is unknown: {previous.note}",)
    if not previous.sha:
        return ()
    if git.is_shallow():
        reason = "this clone is shallow: fetch the history (fetch-depth: 0, GIT_DEPTH: 0)"
    else:
        reason = f"the repository here does not know {previous.sha[:12]}, the previous deploy"
    return (f"{head_alone}: {reason}",)


def _within_limits(commits: list[Commit]) -> list[Commit]:
    """First lines and reverts alone where there is much text: what is measured needs no prose."""
    if sum(len(f"{one.author}{one.message}".encode()) for one in commits) <= _MUCH_TEXT:
        return commits
    return [replace(one, author=one.author[:50], message=_shorten(one.message)) for one in commits]


def _shorten(message: str) -> str:
    first = message.partition("\n")[0][:120]
    return cut_message(f"{first}\n{message}", len(first))
