"""`miniapm deploy` as hooks run it: with an environment, a repository and a server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from miniapm.cli.deploy import deploy
from tests.client.git_repository import GitRepository, git_environment
from tests.client.recording_server import (
    RecordingServer,
    Reply,
    closed_port_url,
    recording_server,
    silent_server,
)

KEY = "proj_TheSecretThatMustNeverBeSeen0123456789"
SECRET = "postgres://root:hunter2@db.internal/shop"
SHA = "0123456789abcdef0123456789abcdef01234567"
AWAY = "see that the server runs at MINIAPM_URL"
PROCESS = """
import typer
from miniapm.cli.deploy import deploy
app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command()(deploy)
app()
"""

app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command()(deploy)


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Run:
    """Runs the command in a directory, `work` by default, with only these variables."""

    home: Path
    url: str

    def environment(self, environ: dict[str, str]) -> dict[str, str]:
        settings = {"MINIAPM_URL": self.url, "MINIAPM_API_KEY": KEY, "DATABASE_URL": SECRET}
        return git_environment(self.home) | settings | environ

    def __call__(self, *arguments: str, cwd: Path | None = None, **environ: str) -> Done:
        environment = self.environment(environ)
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.chdir(cwd or self.home / "work")
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return Done(result.exit_code, result.stdout, result.stderr)

    def process(self, *arguments: str, **environ: str) -> Done:
        """The same in a process of its own."""
        result = subprocess.run(
            [sys.executable, "-c", PROCESS, *arguments],
            cwd=self.home / "work",
            env=self.environment(environ),
            capture_output=True,
            text=True,
            timeout=30,
        )
        return Done(result.returncode, result.stdout, result.stderr)


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as server:
        key = {"name": "ci", "project": "shop", "env": None, "service": None}
        server.replies_to["/api/v1/key"] = [Reply.json(200, key)]
        yield server


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "work")


@pytest.fixture
def run(tmp_path: Path, server: RecordingServer) -> Run:
    (tmp_path / "work").mkdir(exist_ok=True)
    return Run(tmp_path, server.url)


def body(server: RecordingServer) -> Any:
    return server.posts[-1].json()


def assert_warned(result: Done, expected: str, code: int = 0) -> None:
    assert result.returncode == code
    assert result.stdout == ""
    assert result.stderr.startswith("miniapm: warning: deploy not recorded: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr
    assert KEY not in result.stderr


def test_everything_from_git(run: Run, server: RecordingServer, repository: GitRepository) -> None:
    sha = repository.commit("Fix the till", GIT_COMMITTER_DATE="2024-01-15T14:30:00Z")
    repository.git("tag", "v1.2.3")
    repository.git("remote", "add", "origin", "https://ann:t0ken@git.example.com/acme/shop.git")
    result = run.process()
    page = f"{server.url}/p/default/deploys/42"
    assert result.stdout == f"recorded the deploy of {sha} (v1.2.3): {page}\n"
    assert (result.stderr, result.returncode) == ("", 0)
    sent = body(server)
    commit = sent.pop("commits")[0]
    assert commit.pop("timestamp").startswith("2024-01-15T14:30:00")
    expected = {"sha": sha, "author": "Ann", "message": "Fix the till", "approximate": True}
    assert commit == expected
    assert sent == {
        "git_sha": sha,
        "version": "v1.2.3",
        "deployer": "Ann",
        "repository": "https://git.example.com/acme/shop.git",
    }


def test_flags_beat_everything(run: Run, server: RecordingServer) -> None:
    result = run(
        *("--sha", SHA, "--version", "v9", "--env", "staging", "--service", "web"),
        *("--deployer", "bob", "--title", "A title", "--description", "two\nlines"),
        *("--tag", "one", "--tag", "two", "--tag", "", "--status", "failed", "--id", "run-1"),
        *("--timestamp", "2024-01-15T14:30:00+01:00", "--started-at", "1705325000"),
        *("--url", "https://ci/1", "--repository", "https://u:p@git.example.com/a"),
        *("--idempotency-key", "once"),
        CI_COMMIT_SHA="f" * 40,
        CI_COMMIT_TAG="v8",
        CI_ENVIRONMENT_NAME="production",
        GITLAB_USER_LOGIN="ann",
        KAMAL_RECORDED_AT="2020-01-15T14:30:00Z",
        KAMAL_RUNTIME="5",
    )
    assert result.returncode == 0
    assert " (v9) to staging: http" in result.stdout
    assert body(server) == {
        "git_sha": SHA,
        "version": "v9",
        "env": "staging",
        "service": "web",
        "deployer": "bob",
        "title": "A title",
        "description": "two\nlines",
        "tags": ["one", "two"],
        "status": "failed",
        "timestamp": "2024-01-15T14:30:00+01:00",
        "started_at": "1705325000",
        "url": "https://ci/1",
        "repository": "https://git.example.com/a",
        "id": "run-1",
    }
    assert server.posts[0].headers["idempotency-key"] == "once"


def test_another_sha_is_not_given_the_pipelines_version(run: Run, server: RecordingServer) -> None:
    run("--sha", SHA, CI_COMMIT_SHA="f" * 40, CI_COMMIT_TAG="v8")
    assert body(server) == {"git_sha": SHA}
    run("--sha", SHA[:8], CI_COMMIT_SHA=SHA, CI_COMMIT_TAG="v8")
    assert body(server) == {"git_sha": SHA[:8], "version": "v8"}


def test_kamals_dirty_version(run: Run, server: RecordingServer) -> None:
    version = f"{SHA}_uncommitted_0123456789abcdef"
    run(KAMAL_VERSION=version, KAMAL_SERVICE="shop", KAMAL_COMMAND="deploy")
    assert body(server) == {"git_sha": SHA, "version": version, "service": "shop"}


def test_kamals_rollback_names_what_goes_live(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    old = repository.commit("one")
    repository.git("tag", "v1")
    repository.commit("two")
    run(KAMAL_VERSION="v1", KAMAL_COMMAND="rollback")
    assert (body(server)["git_sha"], body(server)["version"]) == (old, "v1")
    run(KAMAL_VERSION="elsewhere", KAMAL_COMMAND="rollback")
    assert (body(server)["git_sha"], body(server)["version"]) == ("elsewhere", "elsewhere")


def test_a_version_that_kamal_was_given(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    head = repository.commit("one")
    run(KAMAL_VERSION="build-5", KAMAL_COMMAND="deploy")
    assert (body(server)["git_sha"], body(server)["version"]) == (head, "build-5")


def test_capistranos_release(run: Run, server: RecordingServer, tmp_path: Path) -> None:
    (tmp_path / "work" / "REVISION").write_text(f"{SHA}\n")
    assert run().returncode == 0
    assert body(server) == {"git_sha": SHA}


def test_secrets_of_the_environment_stay_there(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    repository.commit("one")
    run("--json", KAMAL_REGISTRY_PASSWORD=SECRET, GITHUB_TOKEN=SECRET, CI_JOB_TOKEN=SECRET)
    assert len(server.received) == 3
    assert SECRET.encode() not in server.everything()
    assert KEY.encode() not in b"".join(one.body for one in server.received)


def listed(sha: str, env: str = "production", service: str = "shop") -> dict[str, object]:
    return {"id": "1", "git_sha": sha, "env": env, "service": service}


def shas(server: RecordingServer) -> list[str]:
    return [commit["sha"] for commit in body(server).get("commits", [])]


def test_commits_since_the_previous_deploy(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    first, second, third = (repository.commit(name) for name in ("one", "two", "three"))
    server.listing = [listed(first)]
    result = run("--env", "production", "--service", "shop")
    assert (shas(server), result.stderr) == ([third, second], "")
    (question,) = server.gets
    assert question.path == (
        "/api/v1/deploys?env=production&service=shop&status=succeeded&limit=10"
    )
    assert question.headers["authorization"] == f"Bearer {KEY}"


def test_without_commits_nothing_is_asked(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    repository.commit("one")
    assert run("--no-commits").stderr == ""
    assert "commits" not in body(server)
    assert server.gets == []


@pytest.mark.parametrize(
    ("name", "version"),
    [("v1", "v1"), ("20240115", "20240115"), ("live", "later"), ("main~1", "later")],
)
def test_a_tag_or_a_branch_is_resolved(
    run: Run, server: RecordingServer, repository: GitRepository, name: str, version: str
) -> None:
    sha = repository.commit("one")
    repository.git("tag", "-a", "-m", "one", "later")
    repository.git("tag", "v1")
    repository.git("tag", "20240115")  # git could take it for a sha, too
    repository.git("branch", "live")
    repository.commit("two")
    result = run("--sha", name)
    assert (result.stderr, body(server)["git_sha"], shas(server)) == ("", sha, [sha])
    assert body(server)["version"] == version
    assert run("--sha", name, "--version", "9").stderr == ""
    assert body(server)["version"] == "9"


def test_the_beginning_of_a_sha_is_completed(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    sha = repository.commit("one")
    run("--sha", sha[:8])
    assert body(server)["git_sha"] == sha


def test_what_names_no_commit_is_sent_with_a_note(
    run: Run, server: RecordingServer, repository: GitRepository, tmp_path: Path
) -> None:
    repository.commit("one")
    result = run("--sha", "release-7")
    assert result.stderr == (
        "miniapm: note: release-7 is sent as it is: the repository here has no such tag, branch or "
        "commit\n"
    )
    assert body(server) == {"git_sha": "release-7", "deployer": "Ann"}
    assert run("--sha", "release-7", cwd=tmp_path).stderr == ""
    assert server.gets == []


def test_a_first_deploy_does_not_bring_the_whole_history(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    _, second = repository.commit("one"), repository.commit("two")
    assert run().stderr == ""
    assert shas(server) == [second]


def test_the_same_or_an_older_revision_brings_nothing(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    first, second = repository.commit("one"), repository.commit("two")
    server.listing = [listed(second[:10])]
    assert run().stderr == ""
    assert shas(server) == []
    assert run("--sha", first).stderr == ""
    assert shas(server) == []


def test_a_backfill_asks_for_what_was_live_then(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    repository.commit("one")
    run("--timestamp", "2024-01-15T14:30:00Z")
    assert server.gets[-1].path.endswith("&until=2024-01-15T14%3A30%3A00Z")


def assert_head_alone(
    run: Run,
    server: RecordingServer,
    head: str,
    note: str,
    cwd: Path | None = None,
    arguments: tuple[str, ...] = (),
) -> None:
    result = run(*arguments, cwd=cwd)
    assert result.returncode == 0
    assert result.stdout.startswith("recorded ")
    assert result.stderr.startswith("miniapm: note: only the head commit is sent: ")
    assert result.stderr.count("\n") == 1
    assert note in result.stderr
    assert shas(server) == [head]


def test_a_shallow_clone(
    run: Run, server: RecordingServer, repository: GitRepository, tmp_path: Path
) -> None:
    first, second = repository.commit("one"), repository.commit("two")
    repository.git("clone", "-q", "--depth=1", repository.path.as_uri(), str(tmp_path / "clone"))
    server.listing = [listed(first)]
    assert_head_alone(run, server, second, "fetch-depth: 0", tmp_path / "clone")


def test_a_clone_that_is_deep_enough(
    run: Run, server: RecordingServer, repository: GitRepository, tmp_path: Path
) -> None:
    _, second, third = (repository.commit(name) for name in ("one", "two", "three"))
    repository.git("clone", "-q", "--depth=2", repository.path.as_uri(), str(tmp_path / "clone"))
    server.listing = [listed(second)]
    assert run(cwd=tmp_path / "clone").stderr == ""
    assert shas(server) == [third]


def test_a_shallow_clone_whose_edge_is_within_the_range(
    run: Run, server: RecordingServer, repository: GitRepository, tmp_path: Path
) -> None:
    """Both commits are here and have an ancestor, but what lies between them is cut off."""
    repository.commit("one")
    repository.git("checkout", "-q", "-b", "side")
    for name in ("a", "b", "c"):
        repository.commit(name)
    repository.git("checkout", "-q", "main")
    live = repository.commit("live")
    repository.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
    head = repository.git("rev-parse", "HEAD")
    repository.git("clone", "-q", "--depth=2", repository.path.as_uri(), str(tmp_path / "clone"))
    server.listing = [listed(live)]
    assert_head_alone(run, server, head, "fetch-depth: 0", tmp_path / "clone")


def test_a_commit_of_the_future_is_sent_and_one_without_a_time_is_told(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    live = repository.commit("live")
    repository.commit("lost", GIT_COMMITTER_DATE="1970-01-02T00:00:00Z")
    ahead = repository.commit("ahead", GIT_COMMITTER_DATE="2090-01-01T00:00:00Z")
    server.listing = [listed(live)]
    result = run()
    assert shas(server) == [ahead]
    assert result.stderr == (
        "miniapm: note: 1 commit is left out: git has no time for it that can be true\n"
    )


def test_what_stands_alone_is_marked(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    first = repository.commit("one")
    run()
    assert [commit["approximate"] for commit in body(server)["commits"]] == [True]
    repository.commit("two")
    server.listing = [listed(first)]
    run()
    assert "approximate" not in body(server)["commits"][0]


def test_commits_of_every_kind(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    """Squashed, cherry-picked, rebased and reverted ones: each by when it came to this history."""
    live = repository.commit("live")
    repository.git("checkout", "-q", "-b", "side")
    long_ago = {
        "GIT_AUTHOR_DATE": "2023-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2023-01-01T00:00:00Z",
    }
    (repository.path / "till").write_text("mended")
    repository.git("add", "till")
    repository.git("commit", "-q", "-m", "Mend the till", **long_ago)
    picked = repository.git("rev-parse", "HEAD")
    repository.commit("Squashed away", **long_ago)
    repository.git("checkout", "-q", "main")
    repository.git("cherry-pick", picked, GIT_COMMITTER_DATE="2024-01-01T00:00:00Z")
    repository.git("merge", "-q", "--squash", "side")
    repository.commit("Squash", GIT_COMMITTER_DATE="2024-01-02T00:00:00Z")
    repository.git("revert", "--no-edit", "HEAD~1", GIT_COMMITTER_DATE="2024-01-03T00:00:00Z")
    server.listing = [listed(live)]
    assert run().stderr == ""
    sent = body(server)["commits"]
    assert [commit["timestamp"][:10] for commit in sent] == [
        "2024-01-03",
        "2024-01-02",
        "2024-01-01",
    ]
    reverted = repository.git("rev-parse", "HEAD~2")
    assert f"This reverts commit {reverted}" in sent[0]["message"]
    assert picked not in [commit["sha"] for commit in sent]


def test_after_a_rebase_only_what_is_not_live_yet_is_new(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    base = repository.commit("base")
    live = repository.commit("live")
    repository.git("reset", "-q", "--hard", base)
    rebased = repository.commit("live, worded otherwise")
    server.listing = [listed(live)]
    assert run().stderr == ""
    assert shas(server) == [rebased]


def test_promotion_brings_what_the_environment_had_not(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    live, second, third = (repository.commit(name) for name in ("one", "two", "three"))
    server.listing = [listed(live, env="production", service="shop")]
    run("--env", "production", "--service", "shop", "--sha", third)
    assert shas(server) == [third, second]


@pytest.mark.parametrize(
    ("source", "expected"),
    [("telemetry", ["two"]), ("github", ["two"]), ("api", [])],
)
def test_what_others_told_of_this_very_deploy_is_not_the_previous_one(
    run: Run,
    server: RecordingServer,
    repository: GitRepository,
    source: str,
    expected: list[str],
) -> None:
    first, second = repository.commit("one"), repository.commit("two")
    server.listing = [
        {**listed(second), "sources": [source]},
        {**listed(first), "sources": ["api"]},
    ]
    assert run().stderr == ""
    assert [commit["message"] for commit in body(server).get("commits", [])] == expected


def test_what_is_left_out_is_not_the_previous_one(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    first, second, third = (repository.commit(name) for name in ("one", "two", "three"))
    left_out = {**listed(second), "sources": ["github"], "is_left_out": True}
    server.listing = [left_out, listed(first)]
    run()
    assert shas(server) == [third, second]


def test_a_previous_deploy_that_goes_by_its_tag(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    repository.commit("one")
    repository.git("tag", "-a", "-m", "v1", "v1")
    second = repository.commit("two")
    server.listing = [{**listed("v1"), "sources": ["telemetry"]}]
    assert run().stderr == ""
    assert shas(server) == [second]


@pytest.mark.parametrize("previous", ["f" * 40, "--all", "v1; id"])
def test_an_unknown_previous_revision(
    run: Run, server: RecordingServer, repository: GitRepository, previous: str
) -> None:
    repository.commit("one")
    head = repository.commit("two")
    server.listing = [listed(previous)]
    assert_head_alone(run, server, head, f"does not know {previous[:12]}")


def test_the_previous_deploy_is_where_the_server_puts_this_one(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    """A key that stands for no place: production, and the service called as the project."""
    repository.commit("one")
    run()
    run("--service", "web")
    assert [one.path for one in server.gets if one.path != "/api/v1/key"] == [
        "/api/v1/deploys?env=production&service=shop&status=succeeded&limit=10",
        "/api/v1/deploys?env=production&service=web&status=succeeded&limit=10",
    ]


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply.json(403, {"message": "No."}), "answered 403, No"),
        (Reply.json(200, []), "no list of deploys"),
        (Reply(503, {}, b""), "answered 503"),
        (Reply(200, {}, b"["), "without JSON"),
    ],
)
def test_a_server_that_does_not_tell_the_previous_deploy(
    run: Run, server: RecordingServer, repository: GitRepository, reply: Reply, note: str
) -> None:
    head = repository.commit("one")
    server.replies_to["/api/v1/deploys"] = [reply]
    assert_head_alone(run, server, head, note)


@pytest.mark.parametrize(
    ("reply", "note"),
    [(Reply.json(403, {"message": "No."}), "answered 403, No"), (Reply.json(200, {}), "no key")],
)
def test_a_server_that_does_not_tell_the_key(
    run: Run, server: RecordingServer, repository: GitRepository, reply: Reply, note: str
) -> None:
    head = repository.commit("one")
    server.replies_to["/api/v1/key"] = [reply]
    assert_head_alone(run, server, head, note)


@pytest.mark.parametrize(
    ("arguments", "env"), [((), "production"), (("--env", "staging"), "staging")]
)
def test_the_key_says_where_the_previous_deploy_was(
    run: Run,
    server: RecordingServer,
    repository: GitRepository,
    arguments: tuple[str, ...],
    env: str,
) -> None:
    first, second = repository.commit("one"), repository.commit("two")
    key = {"name": "ci", "project": "acme", "env": "production", "service": "shop"}
    server.replies_to["/api/v1/key"] = [Reply.json(200, key)]
    server.listing = [listed(first, env)]
    assert run(*arguments).stderr == ""
    assert shas(server) == [second]
    assert server.gets[-1].path == (
        f"/api/v1/deploys?env={env}&service=shop&status=succeeded&limit=10"
    )


def test_a_sha_that_the_repository_does_not_know(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    repository.commit("one")
    result = run("--sha", SHA)
    assert result.stderr == (
        f"miniapm: note: commits are left out: the repository here has no commit {SHA[:12]}\n"
    )
    assert shas(server) == []


def test_very_many_commits(run: Run, server: RecordingServer, repository: GitRepository) -> None:
    first = repository.commit("one")
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@b> {1_700_000_000 + n} +0000\n"
        f"data 700\n{n:0>700}\n{f'from {first}' if n == 0 else ''}\n"
        for n in range(1005)
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=repository.path,
        env=git_environment(repository.path.parent),
        input=stream.encode(),
        check=True,
    )
    server.listing = [listed(first)]
    assert "only the newest 1,000 commits" in run().stderr
    assert len(shas(server)) == 1000
    assert len(server.posts[0].body) < 2**20


def test_reverts_are_told_however_much_there_is_to_tell(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    first = repository.commit("one")
    prose = "x" * 700
    repository.commit(f"Take it back\n\n{prose}\n\nThis reverts commit {first}.")
    server.listing = [listed(first)]
    run()
    message = body(server)["commits"][0]["message"]
    assert message.endswith(f"\n\nThis reverts commit {first}")
    assert len(message) < 700


def test_dry_run_sends_nothing(
    run: Run, server: RecordingServer, repository: GitRepository
) -> None:
    sha = repository.commit("one")
    result = run("--dry-run", "--env", "production")
    shown = json.loads(result.stdout)
    assert (shown["git_sha"], shown["env"], shas_of(shown)) == (sha, "production", [sha])
    assert server.posts == []
    assert KEY not in result.stdout + result.stderr
    offline = run("--dry-run", MINIAPM_URL="", MINIAPM_API_KEY="")
    assert json.loads(offline.stdout)["git_sha"] == sha
    assert offline.returncode == 0


def shas_of(payload: Any) -> list[str]:
    return [commit["sha"] for commit in payload["commits"]]


def test_json_of_every_outcome(run: Run, server: RecordingServer) -> None:
    page = f"{server.url}/p/default/deploys/42"
    expected = {"outcome": "sent", "page": page, "deploy": {"git_sha": SHA}, "notes": []}
    assert json.loads(run("--sha", SHA, "--json").stdout) == expected
    server.replies = [Reply.json(400, {"message": "Bad.", "fields": {"env": "too long"}})]
    refused = json.loads(run("--sha", SHA, "--json").stdout)
    assert (refused["outcome"], refused["status"]) == ("refused", 400)
    assert refused["fields"] == {"env": "too long"}
    away = run("--sha", SHA, "--json", "--timeout", "0.3", MINIAPM_URL=closed_port_url())
    assert json.loads(away.stdout)["outcome"] == "unreachable"
    unset = run("--sha", SHA, "--json", MINIAPM_URL="")
    assert json.loads(unset.stdout)["outcome"] == "nothing_to_send"


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 2)])
@pytest.mark.parametrize("status", [400, 401, 403])
def test_refusals(
    run: Run, server: RecordingServer, status: int, flags: tuple[str, ...], code: int
) -> None:
    fields = {"git_sha": "is blank", "env": "is too long"}
    server.replies = [Reply.json(status, {"message": "No.", "fields": fields})]
    result = run("--sha", SHA, *flags)
    assert_warned(result, f"answered {status}, No: git_sha is blank; env is too long", code)


def test_a_refusal_says_each_thing_once(run: Run, server: RecordingServer) -> None:
    fields = {"git_sha": "is blank", "env": "is too long"}
    told = {"message": "git_sha is blank; also look at env.", "fields": fields}
    server.replies = [Reply.json(400, told)]
    assert_warned(run("--sha", SHA), "answered 400, git_sha is blank; env is too long; correct")


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 2)])
def test_a_dry_run_says_what_the_server_will_refuse(
    run: Run, server: RecordingServer, flags: tuple[str, ...], code: int
) -> None:
    result = run("--sha", SHA, "--dry-run", "--timestamp", "2130-01-01T00:00:00Z", *flags)
    assert json.loads(result.stdout)["git_sha"] == SHA
    assert result.stderr == (
        "miniapm: warning: the server will refuse this: timestamp is more than 24 hours in the "
        "future\n"
    )
    assert result.returncode == code
    long = run("--sha", SHA, "--dry-run", "--env", "x" * 101, "--started-at", "2130-01-01 00:00Z")
    assert "this: env must be at most 100 characters long; started_at is more than" in long.stderr
    assert server.posts == []


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 3)])
def test_a_server_that_is_away(run: Run, flags: tuple[str, ...], code: int) -> None:
    arguments = ("--sha", SHA, "--timeout", "0.5", *flags)
    assert_warned(run(*arguments, MINIAPM_URL=closed_port_url()), AWAY, code)
    with silent_server() as url:
        assert_warned(run.process(*arguments, MINIAPM_URL=url), AWAY, code)


def test_one_warning_even_when_commits_were_asked_for(run: Run, repository: GitRepository) -> None:
    repository.commit("one")
    assert_warned(run("--timeout", "2", MINIAPM_URL=closed_port_url()), AWAY)
    with silent_server() as url:
        assert_warned(run("--timeout", "2", MINIAPM_URL=url), AWAY)


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 2)])
@pytest.mark.parametrize("name", ["MINIAPM_URL", "MINIAPM_API_KEY"])
def test_missing_settings(run: Run, name: str, flags: tuple[str, ...], code: int) -> None:
    settings: dict[str, Any] = {name: ""}
    assert_warned(run("--sha", SHA, *flags, **settings), f"{name} is not set", code)


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 2)])
def test_nothing_names_a_commit(
    run: Run, server: RecordingServer, flags: tuple[str, ...], code: int
) -> None:
    expected = "there is no commit to name (this directory is not in a git repository); give --sha"
    assert_warned(run(*flags), expected, code)
    assert_warned(run("--dry-run", *flags), expected, code)
    assert_warned(run(*flags, PATH="/nonexistent"), "git is not installed", code)
    assert server.received == []


def test_somebody_elses_repository(run: Run, repository: GitRepository) -> None:
    repository.commit("one")
    result = run(GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert_warned(result, "run: git config --global --add safe.directory")


def test_git_that_hangs_leaves_time_to_send(
    run: Run, server: RecordingServer, tmp_path: Path
) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\nexec sleep 600\n")
    fake.chmod(0o755)
    result = run("--sha", SHA, "--timeout", "5", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert result.stdout.startswith("recorded ")
    assert "git took longer than" in result.stderr
    assert body(server) == {"git_sha": SHA}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--status", "done"),
        ("--sha", " "),
        ("--timestamp", "2024-01-15"),
        ("--timestamp", "14:30"),
        ("--timestamp", "yesterday"),
        ("--started-at", "noon"),
        ("--url", "ftp://x"),
        ("--repository", "/srv/git"),
        ("--idempotency-key", "a\nb"),
        ("--timeout", "11"),
        ("--timeout", "0"),
        ("--unknown", "x"),
    ],
)
def test_wrong_flags(run: Run, server: RecordingServer, flag: str, value: str) -> None:
    result = run(flag, value)
    assert result.returncode == 2
    assert flag in result.stderr
    assert server.received == []


@pytest.mark.parametrize(
    "timestamp",
    ["2024-01-15T14:30:00Z", "2024-01-15 14:30:00 +0200", "20240115T143000Z", "1705325400.5"],
)
def test_timestamps_are_the_servers_to_judge(
    run: Run, server: RecordingServer, timestamp: str
) -> None:
    assert run("--sha", SHA, "--timestamp", timestamp).returncode == 0
    assert body(server)["timestamp"] == timestamp


def test_a_retry_carries_the_same_idempotency_key(run: Run, server: RecordingServer) -> None:
    server.replies = [Reply(503, {"Retry-After": "0"})]
    assert run("--sha", SHA, "--idempotency-key", "once").returncode == 0
    assert [post.headers["idempotency-key"] for post in server.posts] == ["once", "once"]


def test_nothing_of_the_server_is_imported() -> None:
    heavy = ("msgspec", "asyncio", "starlette", "sqlite3", "jinja2", "uvicorn")
    code = f"import sys, miniapm.cli.deploy; print([n for n in {heavy} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
