"""Reading real repositories with the real git."""

import os
import select
from pathlib import Path

import pytest

from miniapm.client.deadline import Deadline
from miniapm.client.git import Git, GitFailed, NoRepository, public_address, same_revision
from tests.client.git_repository import GitRepository, git_environment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in git_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    repository = GitRepository(tmp_path / "work")
    monkeypatch.chdir(repository.path)
    return repository


@pytest.fixture
def git() -> Git:
    return Git(Deadline(10))


def put_on_path(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Makes `git` a shell script."""
    directory.mkdir()
    fake = directory / "git"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_head_and_description(repository: GitRepository, git: Git) -> None:
    first = repository.commit("one")
    assert git.head() == first
    assert git.describe(first) == first[:7]
    repository.git("tag", "v1.0")
    second = repository.commit("two")
    assert git.describe(first) == "v1.0"
    assert git.describe(second) == f"v1.0-1-g{second[:7]}"
    assert git.find("v1.0") == git.find(first[:9]) == first


@pytest.mark.parametrize("revision", ["v9", "--all", "-h", "$(id)", "", "deadbeef"])
def test_what_git_does_not_know(repository: GitRepository, git: Git, revision: str) -> None:
    repository.commit("one")
    assert git.find(revision) is None


def test_commits_are_told_newest_first(repository: GitRepository, git: Git) -> None:
    first = repository.commit("one")
    second = repository.commit("two", GIT_COMMITTER_DATE="2024-01-15T14:30:00+0100")
    third = repository.commit("subject\n\nbody \x1b[31m red\n", GIT_AUTHOR_NAME="Bö")
    commits = git.commits(f"{first}..{third}", 10)
    assert [commit.sha for commit in commits] == [third, second]
    assert commits[0].message == "subject\n\nbody  [31m red"
    assert commits[0].author == "Bö"
    assert commits[1].timestamp == "2024-01-15T14:30:00+01:00"
    assert commits[1].author == "Ann"
    assert [commit.sha for commit in git.commits(third, 1)] == [third]


def test_settings_of_the_user_change_nothing(repository: GitRepository, git: Git) -> None:
    for name, value in {
        "log.showSignature": "true",
        "color.ui": "always",
        "i18n.logOutputEncoding": "ISO-8859-1",
        "format.pretty": "fuller",
        "log.decorate": "full",
        "core.pager": "false",
    }.items():
        repository.git("config", name, value)
    sha = repository.commit("Größe")
    assert [commit.message for commit in git.commits(sha, 5)] == ["Größe"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, False),
        (946_684_799, False),
        (946_684_800, True),
        (3_786_912_000, True),  # the year 2090
        (253_402_300_800, False),  # 10000
        (99_999_999_999_999, False),  # 3170843
        (10**19, False),
    ],
)
def test_commits_of_impossible_times(
    repository: GitRepository, git: Git, seconds: int, expected: bool
) -> None:
    who = f"Ann <ann@example.com> {seconds} +0000"
    tree = repository.git("rev-parse", f"{repository.commit('one')}^{{tree}}")
    raw = repository.path / "commit"
    raw.write_text(f"tree {tree}\nauthor {who}\ncommitter {who}\n\nodd\n")
    sha = repository.git("hash-object", "-t", "commit", "-w", "--literally", str(raw))
    assert [commit.is_dated for commit in git.commits(sha, 1)] == [expected]


def test_long_messages_are_cut(repository: GitRepository, git: Git) -> None:
    sha = repository.commit("x" * 5000)
    assert git.commits(sha, 1)[0].message == "x" * 600


def test_shared_history(repository: GitRepository, git: Git) -> None:
    first = repository.commit("one")
    second = repository.commit("two")
    repository.git("checkout", "-q", "--orphan", "other")
    stranger = repository.commit("stranger")
    assert git.share_history(first, second)
    assert git.share_history(second[:8], first)
    assert not git.share_history(first, stranger)
    assert not git.share_history("0" * 40, second)
    assert not git.share_history("--all", second)


def test_repository_without_credentials(repository: GitRepository, git: Git) -> None:
    assert git.repository() is None
    repository.git("remote", "add", "origin", "https://oauth2:glpat-x@git.example.com/a/b.git")
    assert git.repository() == "https://git.example.com/a/b.git"


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://user:token@host:8443/a/b?x=token#token", "https://host:8443/a/b"),
        ("https://token@host/a", "https://host/a"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("ssh://git@host/a/b.git", "git@host:a/b.git"),
        ("ssh://git:secret@host:22/a", "git@host:a"),
        ("ssh://git@host:2222/a/b", None),
        ("deploy@host:a/b", None),
        ("/srv/git/a.git", None),
        ("file:///srv/git/a.git", None),
        ("https://host:port/a", None),
        ("https:///a", None),
        ("", None),
    ],
)
def test_public_address(remote: str, public: str | None) -> None:
    assert public_address(remote) == public


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a" * 40, "a" * 40, True),
        ("a" * 7, "a" * 40, True),
        ("a" * 40, "a" * 7, True),
        ("a" * 6, "a" * 40, False),
        ("a" * 40, "b" * 40, False),
        ("v1", "v1", True),
        ("v1", "v10", False),
    ],
)
def test_same_revision(one: str, other: str, same: bool) -> None:
    assert same_revision(one, other) is same


def test_shallow_clone(
    repository: GitRepository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.commit("one")
    second = repository.commit("two")
    assert not git.is_shallow()
    clone = repository.path.parent / "clone"
    repository.git("clone", "-q", "--depth=1", repository.path.as_uri(), str(clone))
    monkeypatch.chdir(clone)
    assert git.is_shallow()
    assert git.head() == second
    assert not git.share_history(first, second)


def test_no_commit_yet(repository: GitRepository, git: Git) -> None:
    with pytest.raises(GitFailed):
        git.head()


def test_no_repository(
    repository: GitRepository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = repository.path.parent / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    with pytest.raises(NoRepository, match="not in a git repository"):
        git.head()
    assert git.repository() is None


def test_no_git(repository: GitRepository, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.path))
    with pytest.raises(NoRepository, match="git is not installed"):
        git.head()


def test_somebody_elses_repository(
    repository: GitRepository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("one")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(GitFailed, match=r"config --global --add safe\.directory /.*work$"):
        git.head()


def test_slow_git_is_ended_with_its_children(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = repository.path / "pid"
    put_on_path(repository.path / "bin", monkeypatch, f"sleep 600 & echo $! > {pid_file}; wait")
    git = Git(Deadline(2))
    with pytest.raises(GitFailed, match="longer than"):
        git.head()
    wait_for_end(int(pid_file.read_text()))
    with pytest.raises(GitFailed, match="longer than"):
        git.head()


def wait_for_end(pid: int) -> None:
    """Fails when the process still runs after some seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], 10)[0]
    finally:
        os.close(process)
