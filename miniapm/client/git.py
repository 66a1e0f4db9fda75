"""What git knows about the checkout, by calling git: no shell, no prompt, never past a deadline."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from miniapm.client.commits import COMMIT_FORM, Commit, parse_commit
from miniapm.client.deadline import Deadline

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")
_REVISION = re.compile(r"\w[\w./+~^-]*")  # nothing that git could take for an option

# Settings of the user that would change what is printed (signatures, colours, encodings).
_GIT = ("git", "--no-pager", "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8")


class GitFailed(Exception):
    """git could not tell; the message says why and what to do."""


class NoRepository(GitFailed):
    """There is no git or no repository here: nothing is wrong, there is just nothing to read."""


class NotKnown(GitFailed):
    """git looked and found no such thing."""


@dataclass(frozen=True, slots=True)
class Git:
    """The repository around the working directory, or around `directory`."""

    deadline: Deadline
    directory: str = ""

    def head(self) -> str:
        """The full sha of HEAD."""
        return self._resolve("HEAD")

    def find(self, revision: str) -> str | None:
        """The full sha of a tag, branch or sha, None where git knows no such thing."""
        if not _REVISION.fullmatch(revision):
            return None
        try:
            return self._resolve(revision)
        except NotKnown:
            return None

    def find_tag(self, name: str) -> str | None:
        """The full sha of the commit that a tag names, None without such a tag."""
        return self.find(f"refs/tags/{name}") if _REVISION.fullmatch(name) else None

    def list_tags(self, form: str) -> str:
        """A line for each tag, as `git for-each-ref --format` writes it."""
        return self._run("for-each-ref", f"--format={form}", "refs/tags")

    def describe(self, sha: str) -> str:
        """The nearest tag as `git describe` says it, the short sha where there is none."""
        return self._run("describe", "--tags", "--always", sha)

    def user_name(self) -> str | None:
        """Who git takes the person at the keyboard to be."""
        try:
            return self._run("config", "--get", "user.name") or None
        except GitFailed:
            return None

    def repository(self) -> str | None:
        """The address of `origin` for people, without credentials."""
        try:
            return public_address(self._run("remote", "get-url", "origin"))
        except GitFailed:
            return None

    def is_shallow(self) -> bool:
        return self._run("rev-parse", "--is-shallow-repository") == "true"

    def reaches_edge(self, revisions: str) -> bool:
        """Whether commits of `since..sha` have no parents here: in a shallow clone, history goes on
        where they end."""
        return bool(self._run("rev-list", "--max-parents=0", "--max-count=1", revisions, "--"))

    def share_history(self, one: str, other: str) -> bool:
        """Whether both commits are here and have an ancestor in common."""
        if not (is_sha(one) and is_sha(other)):
            return False
        try:
            return bool(self._run("merge-base", one, other))
        except NotKnown:
            return False

    def commits(self, revisions: str, most: int) -> list[Commit]:
        """The newest `most` commits of `sha` or `since..sha`, newest first."""
        form = f"--format={COMMIT_FORM}"
        text = self._run("log", "-z", f"--max-count={most}", form, revisions, "--")
        return [parse_commit(record) for record in text.split("\0") if record.strip()]

    def _resolve(self, revision: str) -> str:
        return self._run("rev-parse", "--verify", f"{revision}^{{commit}}")

    def _run(self, *arguments: str) -> str:
        seconds = self.deadline.remaining()
        if seconds <= 0:
            raise GitFailed(f"git took longer than {self.deadline.seconds:.2g} s")
        status, out, err = _call([*self._command(), *arguments], seconds)
        if status == 0:
            return out.strip("\n\0 ")
        raise _failure(arguments[0], err)

    def _command(self) -> list[str]:
        return [*_GIT, *(("-C", self.directory) if self.directory else ())]


def is_sha(text: str) -> bool:
    """Whether this can be a commit's id or the beginning of one; nothing else is given to git."""
    return _SHA.fullmatch(text) is not None


def same_revision(one: str, other: str) -> bool:
    """Equal, or the beginning of one another."""
    return one == other or (
        is_sha(one) and is_sha(other) and one[: len(other)] == other[: len(one)]
    )


def public_address(remote: str) -> str | None:
    """A remote's address as it may be shown: http(s) without credentials, or `git@host:path`."""
    remote = remote.strip()
    if re.fullmatch(r"git@[\w.-]+:[^\s:][^\s]*", remote):
        return remote
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
    if parts.scheme == "ssh" and parts.username == "git" and port in (None, 22):
        return f"git@{host}:{parts.path.lstrip('/')}"
    return None


def _call(command: Sequence[str], seconds: float) -> tuple[int, str, str]:
    # LC_ALL: messages are looked into. A session of its own: git's children go with it.
    environ = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise NoRepository("git is not installed") from error
    except OSError as error:
        raise GitFailed(f"git cannot be started ({error.strerror})") from error
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git took longer than {seconds:.2g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def _failure(command: str, stderr: str) -> GitFailed:
    if "dubious ownership" in stderr:
        return GitFailed(
            "git refuses this directory because another user owns it; "
            f"run: git config --global --add safe.directory {os.getcwd()}"
        )
    if "not a git repository" in stderr.lower():
        return NoRepository("this directory is not in a git repository")
    lines = stderr.strip().splitlines()
    return NotKnown(lines[-1].removeprefix("fatal: ") if lines else f"git {command} failed")
