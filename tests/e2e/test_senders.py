"""Every snippet of the two source documents, run as printed by the programs that run them in life.

The snippets are read from `documents/`; only the host and the key change.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.git_repository import GitRepository
from tests.conftest import Server

DOCUMENTS = Path(__file__).parent / "documents"
SHA = "69ffbe64a2ab7f7fde144f9d681ff0dbe6fe11aa"
SECONDS = 60

Program = Callable[[str], str]


@pytest.fixture(params=["", "/"], ids=["plain", "slash at the end"])
def address(server: Server, request: pytest.FixtureRequest) -> str:
    """The server as a person writes it into MINIAPM_URL."""
    return f"{server.url}{request.param}"


def read(name: str) -> str:
    return (DOCUMENTS / name).read_text(encoding="utf-8")


def read_block(name: str) -> str:
    """The shell lines of the one `|` block in a YAML document, as YAML hands them to the shell."""
    lines = read(name).splitlines()
    start = next(i for i, line in enumerate(lines) if line.rstrip().endswith("|")) + 1
    depth = len(lines[start]) - len(lines[start].lstrip())
    return "".join(f"{line[depth:]}\n" for line in lines[start:])


def run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    """What the program prints; it must succeed. `variables` are all that it knows besides PATH."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd or "/nonexistent"), **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def the_deploy(server: Server) -> dict[str, Any]:
    """The only deploy that is stored, without what every deploy has."""
    [row] = server.rows("select * from deploys")
    names = ("git_sha", "version", "deployer", "env", "service", "description", "status")
    return {name: row[name] for name in names}


def expected(**fields: Any) -> dict[str, Any]:
    return {
        "version": None,
        "env": "production",
        "service": "default",
        "description": None,
        "status": "succeeded",
        **fields,
    }


def make_repository(path: Path, tag: str | None = "v1.4.0") -> str:
    """A git repository with one commit; its sha."""
    repository = GitRepository(path)
    sha = repository.commit("First")
    if tag is not None:
        repository.git("tag", tag)
    return sha


def test_the_curl_example(server: Server, program: Program) -> None:
    program("curl")
    text = read("curl.sh")
    text = text.replace("http://localhost:3000", server.url)
    text = text.replace("proj_abc123...", server.make_key())
    assert run(program("bash"), "-c", text) == ""
    assert the_deploy(server) == expected(
        git_sha="abc123def456789", version="v1.2.3", deployer="github-actions"
    )


def test_the_request_body(server: Server, program: Program) -> None:
    printed = run(
        program("curl"),
        "-sS",
        "-w%{http_code}",
        f"-HAuthorization: Bearer {server.make_key()}",
        "-HContent-Type: application/json",
        f"-d@{DOCUMENTS / 'request-body.json'}",
        f"{server.url}/ingest/deploys",
    )
    assert printed == "202"
    assert the_deploy(server) == expected(
        git_sha="abc123def456",
        version="v1.2.3",
        deployer="github-actions",
        description="Fix payment processing bug",
    )
    assert server.rows("select deployed_at from deploys") == [
        {"deployed_at": 1_705_329_000_000_000}
    ]


@pytest.mark.parametrize("ref_name", ["main", "v2.0.0", "feature/new-cart"])
def test_the_github_actions_step(
    server: Server, address: str, program: Program, ref_name: str
) -> None:
    program("curl")
    context = {
        "secrets.MINIAPM_URL": address,
        "secrets.MINIAPM_API_KEY": server.make_key(),
        "github.sha": SHA,
        "github.ref_name": ref_name,
    }
    # the runner fills expressions in before bash sees the script
    script = re.sub(
        r"\$\{\{ (\S+) \}\}", lambda match: context[match[1]], read_block("github-actions.yml")
    )
    run(program("bash"), "-e", "-c", script)
    assert the_deploy(server) == expected(git_sha=SHA, version=ref_name, deployer="github-actions")


def test_an_expression_that_was_not_filled_in_is_refused_and_told(
    server: Server, program: Program
) -> None:
    script = read_block("github-actions.yml").replace("${{ secrets.MINIAPM_URL }}", server.url)
    script = script.replace("${{ secrets.MINIAPM_API_KEY }}", server.make_key())
    # what bash makes of the rest depends on it; the server must see the expression itself
    script = script.replace("${{ github.sha }}", r"\${{ github.sha }}")
    script = script.replace("${{ github.ref_name }}", "main")
    assert '"git_sha":"holds' in run(program("bash"), "-e", "-c", script)
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize(
    ("tag", "environment"), [("v1.4.0", "staging"), ("", "staging"), ("v1.4.0", ""), ("", "")]
)
def test_the_gitlab_job(
    server: Server, address: str, program: Program, tag: str, environment: str
) -> None:
    program("curl")
    run(
        program("bash"),
        "-eo",
        "pipefail",
        "-c",
        read_block("gitlab-ci.yml"),
        MINIAPM_URL=address,
        MINIAPM_API_KEY=server.make_key(),
        CI_COMMIT_SHA=SHA,
        CI_COMMIT_TAG=tag,
        CI_ENVIRONMENT_NAME=environment,
    )
    assert the_deploy(server) == expected(
        git_sha=SHA,
        version=tag or None,
        deployer="gitlab-ci",
        env=environment or "production",
    )


def test_the_heroku_hook(server: Server, address: str, program: Program) -> None:
    program("curl")
    run(
        program("sh"),
        "-c",
        read("heroku.sh"),
        MINIAPM_URL=address,
        MINIAPM_API_KEY=server.make_key("deploys:write", env="staging", service="web"),
        HEROKU_SLUG_COMMIT=SHA,
        HEROKU_RELEASE_VERSION="v42",
    )
    # the document's hook names neither: the key stands for them
    assert the_deploy(server) == expected(
        git_sha=SHA, version="v42", deployer="heroku", env="staging", service="web"
    )


@pytest.mark.parametrize("tag", ["v1.4.0", None])
def test_the_kamal_hook(
    server: Server, address: str, program: Program, tmp_path: Path, tag: str | None
) -> None:
    program("curl")
    repository = tmp_path / "shop"
    program("git")
    sha = make_repository(repository, tag)
    hook = run(
        program("ruby"),
        "-rerb",
        "-e",
        "print ERB.new(ARGV[0]).result",
        read_block("kamal.yml"),
        cwd=repository,
    )
    run(program("sh"), "-c", hook, MINIAPM_URL=address, MINIAPM_API_KEY=server.make_key())
    assert the_deploy(server) == expected(git_sha=sha, version=tag or sha[:7], deployer="kamal")


CAPFILE = """
require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
"""
DEPLOY_RB = """
set :sshkit_backend, SSHKit::Backend::Local  # no ssh to this machine
set :application, "shop"
set :repo_url, {repository!r}
set :branch, "main"
set :deploy_to, {target!r}
set :tmp_dir, {temporary!r}
namespace :deploy do
{snippet}
end
"""


@pytest.mark.slow
def test_the_capistrano_task(
    server: Server, address: str, program: Program, tmp_path: Path
) -> None:
    cap = program("cap")
    program("curl")
    program("git")
    sha = make_repository(tmp_path / "repository")
    project = tmp_path / "project"
    (project / "config" / "deploy").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    (project / "Capfile").write_text(CAPFILE)
    (project / "config" / "deploy" / "production.rb").write_text(
        'server "localhost", roles: %w[app]\n'
    )
    (project / "config" / "deploy.rb").write_text(
        DEPLOY_RB.format(
            repository=str(tmp_path / "repository"),
            target=str(tmp_path / "www"),
            temporary=str(tmp_path / "tmp"),
            snippet=read("capistrano.rb"),
        )
    )
    run(
        cap,
        "production",
        "deploy",
        cwd=project,
        MINIAPM_URL=address,
        MINIAPM_API_KEY=server.make_key(),
        LANG="C.UTF-8",
    )
    assert (tmp_path / "www" / "current").is_symlink()
    assert the_deploy(server) == expected(git_sha=sha, deployer="capistrano")


def test_several_servers_at_once_are_one_deploy(server: Server, program: Program) -> None:
    program("curl")
    key = server.make_key()
    barrier = threading.Barrier(5)
    failures: list[BaseException] = []

    def role() -> None:
        barrier.wait(10)
        try:
            run(
                "sh",
                "-c",
                read("heroku.sh"),
                MINIAPM_URL=server.url,
                MINIAPM_API_KEY=key,
                HEROKU_SLUG_COMMIT=SHA,
                HEROKU_RELEASE_VERSION="v42",
            )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=role) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert failures == []
    assert the_deploy(server) == expected(git_sha=SHA, version="v42", deployer="heroku")


def test_an_unset_commit_is_refused_and_told(server: Server, program: Program) -> None:
    program("curl")
    printed = run(
        program("sh"),
        "-c",
        read("heroku.sh"),
        MINIAPM_URL=server.url,
        MINIAPM_API_KEY=server.make_key(),
    )
    assert '"fields":{"git_sha":"is required"}' in printed
    # curl without -f exits 0: the refusal is all that tells; it is written after the answer
    server.run(server.running.context.database.write(lambda _: None))
    assert server.rows("select status from refusals") == [{"status": 400}]


PYTHON = """
import os
from miniapm import record_deploy

record_deploy(
    version=os.environ["APP_VERSION"],
    git_sha=os.environ["GIT_SHA"],
    deployer="my-deploy-script",
)
"""


def test_the_ruby_call_in_python(server: Server, address: str) -> None:
    printed = run(
        sys.executable,
        "-c",
        PYTHON,
        MINIAPM_URL=address,
        MINIAPM_API_KEY=server.make_key(),
        APP_VERSION="v1.4.0",
        GIT_SHA=SHA,
        PYTHONPATH=os.getcwd(),
    )
    assert printed == ""
    assert the_deploy(server) == expected(
        git_sha=SHA, version="v1.4.0", deployer="my-deploy-script"
    )


@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_the_second_documents_request(
    server: Server, address: str, program: Program, scheme: str
) -> None:
    printed = run(
        program("curl"),
        "-sS",
        "-w %{http_code}",
        f"-HAuthorization: {scheme}{server.make_key()}",
        f'-d{{"commitSha": "{SHA}", "environmentName": "production", "tags": "is_fix, sev1"}}',
        f"{address}/deployments",
    )
    assert printed == "Created successfully 201"
    assert the_deploy(server) == expected(git_sha=SHA, deployer=None)
    tags = server.rows("select tag from deploy_tags order by position")
    assert [row["tag"] for row in tags] == ["is_fix", "sev1"]
