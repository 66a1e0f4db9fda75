"""The snippets of the settings page: each is run as it is pasted, against a real server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from miniapm.clock import MINUTE
from miniapm.web.snippets import (
    EXAMPLE_KEY,
    EXAMPLE_URL,
    Snippet,
    list_error_snippets,
    list_snippets,
    write_telemetry_setup,
)
from tests.conftest import Server
from tests.web.markup import parse_html

Program = Callable[[str], str]
ROOT = Path(__file__).parent.parent.parent
SHA = "4f2a91c0de5b8e7f6a1b2c3d4e5f60718293a4b5"
AWAY = "http://127.0.0.1:9"
SLUGS = [snippet.slug for snippet in list_snippets("", None)]


def snippet_of(url: str, key: str, slug: str) -> Snippet:
    return {snippet.slug: snippet for snippet in list_snippets(url, key)}[slug]


def run(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stored(server: Server) -> dict[str, Any]:
    [row] = server.rows("select git_sha, version, deployer, env, service, url from deploys")
    return row


def script_of(yaml: str, opening: str) -> str:
    """The lines of a YAML block that begins with a line `opening`, without their indent."""
    lines = yaml.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == opening) + 1
    indent = len(lines[start]) - len(lines[start].lstrip())
    return "\n".join(line[indent:] for line in lines[start:])


CI = {
    "GITHUB_SHA": SHA,
    "GITHUB_REF_NAME": "v1.2.3",
    "GITHUB_REF_TYPE": "tag",
    "GITHUB_ACTOR": "octo",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "77",
    "CI_COMMIT_SHA": SHA,
    "CI_COMMIT_TAG": "v1.2.3",
    "DEPLOY_ENV": "staging",
    "CI_PIPELINE_URL": "https://gitlab.com/acme/shop/-/pipelines/7",
    "GITLAB_USER_LOGIN": "lab",
    "KAMAL_VERSION": f"{SHA}_uncommitted_0123456789abcdef",
    "KAMAL_PERFORMER": "ann@example.com",
    "KAMAL_SERVICE": "shop",
    "KAMAL_DESTINATION": "staging",
    "HEROKU_BUILD_COMMIT": SHA,
    "HEROKU_RELEASE_VERSION": "v42",
}
EXPECTED: dict[str, tuple[str, str | None, str, str, str]] = {
    "curl": ("abc123def456789", "v1.2.3", "me", "production", "default"),
    "github-actions": (SHA, "v1.2.3", "octo", "production", "default"),
    "gitlab-ci": (SHA, "v1.2.3", "lab", "staging", "default"),
    "kamal-post-deploy": (SHA, CI["KAMAL_VERSION"], "ann@example.com", "staging", "shop"),
    "heroku": (SHA, "v42", "heroku", "production", "default"),
}


def shell_of(snippet: Snippet) -> str:
    openings = {"github-actions": "run: |", "gitlab-ci": "- |"}
    opening = openings.get(snippet.slug)
    return snippet.text if opening is None else script_of(snippet.text, opening)


def environ_of(url: str, key: str) -> dict[str, str]:
    return {**CI, "MINIAPM_URL": url, "MINIAPM_API_KEY": key}


@pytest.mark.parametrize("slug", EXPECTED)
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_shell_snippet_records_a_deploy(
    server: Server, program: Program, shell: str, slug: str
) -> None:
    key = server.make_key()
    script = shell_of(snippet_of(server.url, key, slug))
    done = run(program(shell), "-e", "-s", env=environ_of(server.url, key), stdin=script)
    assert (done.returncode, done.stdout, done.stderr) == (0, " miniapm: HTTP 202\n", "")
    row = stored(server)
    found = tuple(row[name] for name in ("git_sha", "version", "deployer", "env", "service"))
    assert found == EXPECTED[slug]


@pytest.mark.parametrize("slug", EXPECTED)
def test_a_shell_snippet_never_fails_a_deploy(server: Server, program: Program, slug: str) -> None:
    bash = program("bash")
    away = shell_of(snippet_of(AWAY, "proj_x", slug))
    done = run(bash, "-e", "-o", "pipefail", "-s", env=environ_of(AWAY, "proj_x"), stdin=away)
    assert done.returncode == 0
    assert "curl:" in done.stderr
    refused = shell_of(snippet_of(server.url, "proj_x", slug))
    env = environ_of(server.url, "proj_x")
    done = run(bash, "-e", "-o", "pipefail", "-s", env=env, stdin=refused)
    assert done.returncode == 0
    # what was wrong stands where the person looks
    assert "Nobody knows this key" in done.stdout
    assert done.stdout.endswith(" miniapm: HTTP 401\n")
    assert server.rows("select * from deploys") == []


@pytest.mark.parametrize("slug", [*EXPECTED, "kamal-deploy"])
def test_a_server_that_hangs_holds_a_deploy_up_for_20_seconds_at_most(slug: str) -> None:
    options = re.search(r" -m (\d+) --retry (\d+) ", snippet_of(AWAY, "proj_x", slug).text)
    assert options is not None
    seconds, retries = int(options[1]), int(options[2])
    # curl waits a second before the first retry and twice as long before each further one
    assert seconds * (retries + 1) + 2**retries - 1 <= 20


ODD = 'Ann "X" \\Lee\\\n\tJörg $(id) `id`'
PLAIN = "Ann X LeeJörg $(id) `id`"


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    ("slug", "variable", "column"),
    [
        ("github-actions", "GITHUB_REF_NAME", "version"),
        ("gitlab-ci", "CI_COMMIT_TAG", "version"),
        ("gitlab-ci", "GITLAB_USER_LOGIN", "deployer"),
        ("kamal-post-deploy", "KAMAL_PERFORMER", "deployer"),
        ("kamal-post-deploy", "KAMAL_SERVICE", "service"),
    ],
)
def test_quotes_in_a_name_lose_no_deploy(
    server: Server, program: Program, shell: str, slug: str, variable: str, column: str
) -> None:
    key = server.make_key()
    # a version and a service must not look like a template
    odd, plain = (ODD, PLAIN) if column == "deployer" else ('v"1\\"\n', "v1")
    env = {**environ_of(server.url, key), variable: odd}
    script = shell_of(snippet_of(server.url, key, slug))
    done = run(program(shell), "-e", "-s", env=env, stdin=script)
    assert (done.returncode, done.stdout, done.stderr) == (0, " miniapm: HTTP 202\n", "")
    assert stored(server)[column] == plain


def test_a_branch_is_no_version(server: Server, program: Program) -> None:
    key = server.make_key()
    env = {**environ_of(server.url, key), "GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch"}
    script = shell_of(snippet_of(server.url, key, "github-actions"))
    assert run(program("bash"), "-e", "-s", env=env, stdin=script).returncode == 0
    assert stored(server)["version"] is None


def test_the_heroku_lines_fit_into_a_strict_script(server: Server, program: Program) -> None:
    script = shell_of(snippet_of(server.url, "proj_x", "heroku"))
    done = run(program("bash"), "-euo", "pipefail", "-s", stdin=f"{script}echo released\n")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "released")


def test_gitlab_records_after_the_deploy(program: Program) -> None:
    text = snippet_of("http://127.0.0.1:3000", "proj_x", "gitlab-ci").text
    read = "require 'yaml'; require 'json'; puts YAML.safe_load(STDIN.read).to_json"
    job = json.loads(run(program("ruby"), "-e", read, stdin=text).stdout)["notify_miniapm"]
    assert job["stage"] == ".post"
    assert job["variables"]["DEPLOY_ENV"] == "production"


def test_links_lead_to_the_run(server: Server, program: Program) -> None:
    key = server.make_key()
    for slug in ("github-actions", "gitlab-ci"):
        script = shell_of(snippet_of(server.url, key, slug))
        run(program("bash"), "-s", env=environ_of(server.url, key), stdin=script)
    assert {row["url"] for row in server.rows("select url from deploys")} == {
        "https://github.com/acme/shop/actions/runs/77",
        "https://gitlab.com/acme/shop/-/pipelines/7",
    }


def test_a_branch_name_is_no_command(server: Server, program: Program, tmp_path: Path) -> None:
    key = server.make_key()
    trap = tmp_path / "trap"
    env = {**environ_of(server.url, key), "GITHUB_REF_NAME": f"x`touch${{IFS}}{trap}`;touch {trap}"}
    script = shell_of(snippet_of(server.url, key, "github-actions"))
    assert run(program("bash"), "-e", "-s", env=env, stdin=script).returncode == 0
    assert not trap.exists()


def test_the_yaml_snippets_are_yaml(program: Program) -> None:
    for slug in ("github-actions", "gitlab-ci"):
        snippet = snippet_of("http://127.0.0.1:3000", "proj_x", slug)
        read = "require 'yaml'; require 'json'; puts YAML.safe_load(STDIN.read).to_json"
        done = run(program("ruby"), "-e", read, stdin=snippet.text)
        assert done.returncode == 0, done.stderr
        assert "curl -sS" in done.stdout
        assert "http://127.0.0.1:3000" in done.stdout
    assert "${{ secrets.MINIAPM_API_KEY }}" in snippet_of("", "x", "github-actions").text


def test_the_kamal_hook_in_erb_records_a_deploy(
    server: Server, program: Program, tmp_path: Path
) -> None:
    key, sha = server.make_key(), make_repository(program, tmp_path)
    text = snippet_of(server.url, key, "kamal-deploy").text
    render = (
        "require 'erb'; require 'yaml'\n"
        "puts YAML.safe_load(ERB.new(STDIN.read).result)['hooks']['post-deploy']"
    )
    hook = run(program("ruby"), "-e", render, cwd=tmp_path, stdin=text)
    assert hook.returncode == 0, hook.stderr
    done = run(
        program("sh"), "-e", "-s", env={"MINIAPM_API_KEY": key}, cwd=tmp_path, stdin=hook.stdout
    )
    assert (done.returncode, done.stderr) == (0, "")
    row = stored(server)
    assert (row["git_sha"], row["version"], row["deployer"]) == (sha, "v1.2.3", "kamal")


def make_repository(program: Program, folder: Path) -> str:
    """A repository with one commit under the tag v1.2.3; its sha."""
    git = (program("git"), "-C", str(folder))
    run(*git, "init", "-q", "-b", "main")
    sha = add_commit(program, folder)
    run(*git, "tag", "v1.2.3")
    return sha


def add_commit(program: Program, folder: Path) -> str:
    git = (program("git"), "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com")
    run(*git, "commit", "-q", "--allow-empty", "-m", "more")
    return run(*git, "rev-parse", "HEAD").stdout.strip()


def test_the_python_snippet_records_a_deploy(server: Server) -> None:
    key = server.make_key()
    text = snippet_of(server.url, key, "python").text
    env = {"MINIAPM_URL": server.url, "MINIAPM_API_KEY": key, "PYTHONPATH": str(ROOT)}
    done = run(sys.executable, "-", env=env, stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    row = stored(server)
    assert (row["git_sha"], row["version"], row["deployer"]) == (
        "abc123def456789",
        "v1.2.3",
        "my-deploy-script",
    )


# Ruby


def ruby(
    program: Program, url: str, key: str, after: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    text = snippet_of(url, key, "ruby").text + after
    env = {"MINIAPM_URL": url, "MINIAPM_API_KEY": key, "GIT_SHA": SHA, "APP_VERSION": "v7", **env}
    return run(program("ruby"), "-W", "-", env=env, stdin=text)


def test_the_ruby_snippet_records_a_deploy(server: Server, program: Program) -> None:
    done = ruby(program, server.url, server.make_key())
    assert (done.returncode, done.stderr) == (0, "")
    row = stored(server)
    assert (row["git_sha"], row["version"], row["deployer"]) == (SHA, "v7", "my-deploy-script")


def test_the_ruby_call_takes_what_the_api_takes(server: Server, program: Program) -> None:
    call = 'p MiniAPM.record_deploy(git_sha: "abc1234", env: "staging", service: "o\\"k")\n'
    done = ruby(program, server.url + "/", server.make_key(), call)
    assert (done.returncode, done.stdout) == (0, "true\n")
    row = server.rows("select env, service from deploys where git_sha = 'abc1234'")
    assert row == [{"env": "staging", "service": 'o"k'}]


@pytest.mark.parametrize(
    ("url", "key"), [(AWAY, "proj_x"), ("not a url", "proj_x"), ("", ""), ("ftp://x", "bad\nkey")]
)
def test_the_ruby_call_never_raises(program: Program, url: str, key: str) -> None:
    done = ruby(program, url, key, "puts :deployed\n")
    assert (done.returncode, done.stdout) == (0, "deployed\n")
    assert done.stderr.startswith("miniapm: the deploy was not recorded (")
    assert "proj_x" not in done.stderr


def test_the_ruby_call_tells_a_refusal(server: Server, program: Program) -> None:
    done = ruby(program, server.url, server.make_key(), GIT_SHA="")
    assert done.returncode == 0
    assert done.stderr.startswith("miniapm: 400 ")
    assert "git_sha" in done.stderr


# Capistrano


def make_capistrano_project(folder: Path, repository: Path, snippet: str) -> None:
    (folder / "config" / "deploy").mkdir(parents=True)
    (folder / "Capfile").write_text(
        'require "capistrano/setup"\nrequire "capistrano/deploy"\n'
        'require "capistrano/scm/git"\ninstall_plugin Capistrano::SCM::Git\n'
    )
    (folder / "config" / "deploy.rb").write_text(
        f'set :application, "shop"\nset :repo_url, "{repository}"\nset :branch, "main"\n'
        f'set :deploy_to, "{folder}/www"\nset :tmp_dir, "{folder}"\n'
        f"set :sshkit_backend, SSHKit::Backend::Local\n{snippet}"
    )
    (folder / "config" / "deploy" / "staging.rb").write_text('server "localhost", roles: %w[app]\n')


def cap(
    program: Program, folder: Path, task: str, url: str, key: str
) -> subprocess.CompletedProcess[str]:
    env = {
        "MINIAPM_URL": url,
        "MINIAPM_API_KEY": key,
        "HOME": str(folder),
        "USER": "ann",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    return run(program("cap"), "staging", task, env=env, cwd=folder)


def make_release_older(www: Path) -> None:
    """Releases are named by the second in which they are made; the next must be another one."""
    [release] = (www / "releases").iterdir()
    older = release.rename(release.with_name("20200101000000"))
    (www / "current").unlink()
    (www / "current").symlink_to(older)


def test_capistrano_records_deploys_and_rollbacks(
    server: Server, program: Program, tmp_path: Path
) -> None:
    key, repository, folder = server.make_key(), tmp_path / "repository", tmp_path / "project"
    repository.mkdir()
    first = make_repository(program, repository)
    make_capistrano_project(folder, repository, snippet_of(server.url, key, "capistrano").text)
    done = cap(program, folder, "deploy", server.url, key)
    assert done.returncode == 0, done.stdout + done.stderr
    row = stored(server)
    assert (row["git_sha"], row["deployer"], row["env"]) == (first, "ann", "staging")
    log = (folder / "log" / "capistrano.log").read_text()
    assert key not in done.stdout + done.stderr + log
    second = add_commit(program, repository)
    make_release_older(folder / "www")
    for task in ("deploy", "deploy:rollback"):
        server.clock.move(MINUTE)
        done = cap(program, folder, task, server.url, key)
        assert done.returncode == 0, done.stdout + done.stderr
    rows = server.rows("select git_sha from deploys order by deployed_at")
    assert [row["git_sha"] for row in rows] == [first, second, first]


def test_capistrano_deploys_without_miniapm(program: Program, tmp_path: Path) -> None:
    repository, folder = tmp_path / "repository", tmp_path / "project"
    repository.mkdir()
    make_repository(program, repository)
    make_capistrano_project(folder, repository, snippet_of(AWAY, "", "capistrano").text)
    done = cap(program, folder, "deploy", AWAY, "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "www" / "current").is_symlink()


# what is shown


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_of_the_example_is_left(slug: str) -> None:
    filled = snippet_of("https://apm.example.com", "proj_real", slug)
    assert EXAMPLE_URL not in filled.text + filled.setup
    assert EXAMPLE_KEY not in filled.text + filled.setup
    assert "https://apm.example.com" in filled.text + filled.setup
    assert "proj_real" in filled.text + filled.setup


def test_the_page_shows_each_as_it_is(server: Server) -> None:
    page = parse_html(server.sign_in("viewer").get("/p/default/settings").text)
    for snippet in list_snippets(server.url, None):
        part = page.one(f"details#send-{snippet.slug}")
        shown = [pre.one("code").raw_text for pre in part.select("pre[data-copy]")]
        assert shown == [text for text in (snippet.setup, snippet.text) if text]


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_snippet_for_errors_records_one(server: Server, program: Program, shell: str) -> None:
    [snippet] = list_error_snippets(server.url, server.make_key())
    done = run(program(shell), "-e", "-s", stdin=snippet.text)
    assert done.returncode == 0
    assert done.stdout.endswith(" miniapm: HTTP 202\n")
    [row] = server.rows("select exception_class, message, culprit from error_groups")
    assert row == {
        "exception_class": "NotFound",
        "message": "No user 42",
        "culprit": "app/users.rb in find",
    }
    page = parse_html(server.sign_in("viewer").get("/p/default/settings").text)
    assert page.one("#send-errors pre.command code").text.startswith("curl -sS")


def test_the_command_of_the_empty_list_of_errors_records_one(
    server: Server, program: Program
) -> None:
    browser = server.sign_in("viewer")
    command = parse_html(browser.get("/p/default/errors").text).one(".empty .command").raw_text
    done = run(
        program("bash"), "-e", "-s", env={"MINIAPM_API_KEY": server.make_key()}, stdin=command
    )
    assert done.stdout.endswith("202\n")
    [row] = server.rows("select culprit from error_groups")
    assert row == {"culprit": "app/users.rb in find"}


@pytest.mark.parametrize(
    ("service", "env", "expected"),
    [
        ("shop", None, ("shop", "production")),
        ("it's $HOME", "a b,c=$(x)", ("it's $HOME", "a%20b%2Cc%3D%24%28x%29")),
    ],
)
def test_a_shell_reads_the_environment_of_telemetry(
    program: Program, service: str, env: str | None, expected: tuple[str, str]
) -> None:
    script = write_telemetry_setup("https://apm.example.com", service, env) + "\nenv\n"
    done = run(program("sh"), "-eu", "-s", env={"MINIAPM_API_KEY": "proj_x"}, stdin=script)
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "OTEL_" in line)
    assert found == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://apm.example.com",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer proj_x",
        "OTEL_SERVICE_NAME": expected[0],
        "OTEL_RESOURCE_ATTRIBUTES": (
            f"deployment.environment.name={expected[1]},service.version=v1.2.3"
        ),
        "OTEL_METRICS_EXPORTER": "none",
    }
