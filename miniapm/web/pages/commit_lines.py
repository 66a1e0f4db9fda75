"""Commits as pages list them, with links into their repository."""

from dataclasses import dataclass

from miniapm.domain.deploys.repositories import Repository
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.web.pages.deploy_words import first_line


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One commit; `link` is "" where nobody knows its address."""

    sha: str
    short: str
    link: str
    message: str
    author: str
    at: int | None
    is_approximate: bool


def link_commit(repository: Repository | None, sha: str) -> str:
    """ "" where nobody knows its address."""
    return (repository.commit_link(sha) if repository else None) or ""


def link_comparison(repository: Repository | None, old: Deploy | None, new: Deploy) -> str:
    """Where to see what `new` has that `old` has not; "" where nobody knows."""
    if repository is None or old is None:
        return ""
    return repository.compare_link(old.git_sha, new.git_sha) or ""


def tell_commit(commit: Commit, repository: Repository | None) -> CommitLine:
    """As pages list it."""
    return CommitLine(
        sha=commit.sha,
        short=commit.sha[:7] if len(commit.sha) >= 40 else commit.sha[:20],
        link=link_commit(repository, commit.sha),
        message=first_line(commit.message),
        author=commit.author or "",
        at=commit.committed_at,
        is_approximate=commit.is_approximate,
    )
