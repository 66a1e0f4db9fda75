"""The recipes that stop a pipeline, run as pasted against a real server, for every answer."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.keys import DEPLOYS_WRITE
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.projects import get_project
from miniapm.web.snippets import Snippet, list_gate_snippets, list_snippets
from tests.client.git_repository import GitRepository
from tests.client.recording_server import closed_port_url
from tests.conftest import Server
from tests.e2e.test_senders import CAPFILE, DEPLOY_RB
from tests.factories import START
from tests.impacts import add_verdict, make_endpoint

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
Program = Callable[[str], str]
SHA = "4f2a91c0de5b8e7f6a1b2c3d4e5f60718293a4b5"
OLD = "0a1b2c3d4e5f60718293a4b54f2a91c0de5b8e7f"
SECONDS = 120
MINIAPM = f'#!/bin/sh\nexec "{sys.executable}" -m miniapm "$@"\n'
NOTING = '#!/bin/sh\necho "${0##*/} $*" >>"$NOTES"\n'
ROLLED_BACK = {"regressed": True, "unchanged": False}


class Machine(NamedTuple):
    """A directory where a pipeline runs, with programs that only note how they were called."""

    home: Path
    environ: dict[str, str]

    def run(
        self, *command: str, stdin: str = "", **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            input=stdin,
            env={**self.environ, **environ},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def notes(self) -> list[str]:
        """The calls, without those that install."""
        path = Path(self.environ["NOTES"])
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if not line.startswith("pip")]

    def install(self, name: str, text: str) -> None:
        path = self.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    """A pipeline's machine, with miniapm installed and set up."""
    home = tmp_path / "machine"
    (home / "bin").mkdir(parents=True)
    environ = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.getcwd(),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NOTES": str(tmp_path / "notes"),
        "MINIAPM_URL": server.url,
        "MINIAPM_API_KEY": server.make_key(),
    }
    machine = Machine(home, environ)
    machine.install("miniapm", MINIAPM)
    for name in ("kamal", "pip", "pipx"):
        machine.install(name, NOTING)
    (home / "rollback").write_text(NOTING)
    (home / "rollback").chmod(0o755)
    return machine


def record(server: Server, machine: Machine, sha: str, days_ago: int, **fields: str) -> Deploy:
    """A deploy that telemetry is too young for: its verdict stays what a test makes of it."""
    answer = server.http.post(
        "/ingest/deploys",
        json={"git_sha": sha, "timestamp": (START - days_ago * DAY) // 1_000_000, **fields},
        headers={"Authorization": f"Bearer {machine.environ['MINIAPM_API_KEY']}"},
    )
    assert answer.status_code == 202, answer.text
    context = server.running.context
    project = server.run(context.database.read(get_project, "default"))
    deploy_id = int(answer.headers["location"].rpartition("/")[2])
    return server.run(context.database.read(get_deploy, project.id, deploy_id))


def record_judged(
    server: Server, machine: Machine, verdict: str, sha: str = SHA, **fields: str
) -> Deploy:
    """Two deploys, the later one with this verdict; it is the one that is returned."""
    record(server, machine, OLD, 21, **{"version": OLD, **fields})
    deploy = record(server, machine, sha, 20, **{"version": sha, **fields})
    add_verdict(server, deploy, endpoints=(make_endpoint(verdict=verdict),))
    return deploy


def script_of(snippet: Snippet, opening: str) -> str:
    """The lines of the YAML block that begins with a line `opening`, without their indent."""
    lines = snippet.text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == opening) + 1
    indent = len(lines[start]) - len(lines[start].lstrip())
    return "\n".join(line[indent:] for line in lines[start:])


def recipe(server: Server, machine: Machine, slug: str) -> str:
    """What the shell gets of a recipe, with the server's address and the key filled in."""
    key = machine.environ["MINIAPM_API_KEY"]
    found = {one.slug: one for one in list_gate_snippets(server.url, key)}[slug]
    opening = {"gate-github-actions": "run: |", "gate-gitlab-ci": "- |"}.get(slug)
    return found.text if opening is None else script_of(found, opening)


CI = {
    "gate-github-actions": {"GITHUB_SHA": SHA},
    "gate-gitlab-ci": {"CI_COMMIT_SHA": SHA, "DEPLOY_ENV": "production"},
    "gate-shell": {},
}


def make_checkout(machine: Machine) -> str:
    repository = GitRepository(machine.home)
    return repository.commit("First")


def test_a_verdict_that_comes_while_it_is_waited_for(server: Server, machine: Machine) -> None:
    deploy = record(server, machine, SHA, 20)
    with subprocess.Popen(
        [machine.home / "bin" / "miniapm", "check", "--sha", SHA, "--wait", "60s"],
        env=machine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith("waiting: 4f2a91c0de5b of default in product")
        add_verdict(server, deploy, state="provisional", minutes=10, next_look_at=None)
        out, _ = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 1
    assert out.startswith("regressed (provisional): ")
    assert "POST /checkout" in out


def run_recipe(
    server: Server, machine: Machine, shell: str, slug: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """As the runner does: every command must succeed."""
    script = recipe(server, machine, slug)
    if "MINIAPM_URL" in environ:  # a recipe that says it itself is pasted with another address
        script = script.replace(server.url, environ["MINIAPM_URL"])
    return machine.run(shell, "-e", "-s", stdin=script, **CI.get(slug, {}), **environ)


@pytest.mark.parametrize("verdict", ROLLED_BACK)
def test_the_readmes_first_line(server: Server, machine: Machine, verdict: str) -> None:
    section = README.partition("\n## Stop a pipeline on a regression\n")[2].partition("\n## ")[0]
    snippet = section.partition("```sh\n")[2].partition("```")[0]
    assert snippet.startswith("miniapm check ")
    record_judged(server, machine, verdict, make_checkout(machine))
    done = machine.run("sh", "-s", stdin=snippet)
    assert done.returncode == int(ROLLED_BACK[verdict]), done.stdout + done.stderr
    assert done.stdout.startswith(f"{verdict}: ")


@pytest.mark.parametrize("verdict", ROLLED_BACK)
@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("slug", CI)
def test_a_pipeline_rolls_back_what_regressed(
    server: Server, machine: Machine, program: Program, slug: str, shell: str, verdict: str
) -> None:
    program(shell)
    sha = make_checkout(machine) if slug == "gate-shell" else SHA
    record_judged(server, machine, verdict, sha)
    done = run_recipe(server, machine, shell, slug)
    assert done.returncode == int(ROLLED_BACK[verdict]), done.stdout + done.stderr
    assert done.stdout.startswith(f"{verdict}: ")
    assert machine.notes() == (["rollback "] if ROLLED_BACK[verdict] else [])


@pytest.mark.parametrize("slug", [*CI, "gate-kamal"])
def test_a_gate_that_cannot_answer_rolls_nothing_back(
    server: Server, machine: Machine, slug: str
) -> None:
    sha = make_checkout(machine) if slug == "gate-shell" else SHA
    record_judged(server, machine, "regressed", sha)
    key = {"MINIAPM_API_KEY": "proj_x"}
    script = recipe(server, machine, slug).replace(machine.environ["MINIAPM_API_KEY"], "proj_x")
    environ = {**CI.get(slug, {}), "KAMAL_VERSION": SHA, **key}
    refused = machine.run("bash", "-e", "-s", stdin=script, **environ)
    assert "Nobody knows this key" in refused.stderr

    away = "http://no-such-name.invalid"
    script = recipe(server, machine, slug).replace(server.url, away)
    unreachable = machine.run("bash", "-e", "-s", stdin=script, **environ, MINIAPM_URL=away)
    assert "see that the server runs at MINIAPM_URL" in unreachable.stderr

    (machine.home / "bin" / "miniapm").unlink()
    script = recipe(server, machine, slug)
    path = f"{machine.home / 'bin'}:/usr/bin:/bin"
    missing = machine.run("/bin/bash", "-e", "-s", stdin=script, **environ | {"PATH": path})
    assert "miniapm: command not found" in missing.stderr
    for one, code in ((refused, 2), (unreachable, 3), (missing, 127)):
        assert f"miniapm: NOT CHECKED (exit {code})" in one.stdout + one.stderr

    assert [one.returncode for one in (refused, unreachable, missing)] == [0, 0, 0]
    assert machine.notes() == []


@pytest.mark.parametrize("slug", ["gate-github-actions", "gate-gitlab-ci"])
def test_a_gate_that_cannot_be_installed_stops_nothing(
    server: Server, machine: Machine, slug: str
) -> None:
    record_judged(server, machine, "regressed")
    for name in ("pip", "pipx"):
        machine.install(name, "#!/bin/sh\nexit 1\n")
    done = run_recipe(server, machine, "bash", slug)
    assert done.returncode == 0
    assert "miniapm: NOT CHECKED (exit 127)" in done.stdout + done.stderr
    assert machine.notes() == []


def kamal_hook(server: Server, machine: Machine) -> str:
    """The whole file: it records the deploy, then checks it."""
    recording = {one.slug: one for one in list_snippets(server.url, None)}["kamal-post-deploy"]
    return recording.text + recipe(server, machine, "gate-kamal")


@pytest.mark.parametrize("verdict", ROLLED_BACK)
@pytest.mark.parametrize("destination", ["", "staging"])
def test_kamals_hook_goes_back_to_the_version_before(
    server: Server, machine: Machine, program: Program, destination: str, verdict: str
) -> None:
    program("curl")
    place = {"env": destination or "production", "service": "shop"}
    record_judged(server, machine, verdict, **place)
    hook = machine.home / "post-deploy"
    # what it records now would be a second deploy, not judged yet: the first part is tested alone
    hook.write_text(f"#!/bin/sh\n{recipe(server, machine, 'gate-kamal')}")
    hook.chmod(0o755)
    kamal = {"KAMAL_VERSION": SHA, "KAMAL_SERVICE": "shop", "KAMAL_COMMAND": "deploy"}
    done = machine.run(str(hook), **kamal, KAMAL_DESTINATION=destination)
    assert done.returncode == int(ROLLED_BACK[verdict]), done.stdout + done.stderr
    flags = f"-d {destination} " if destination else ""
    assert machine.notes() == ([f"kamal rollback {flags}{OLD}"] if ROLLED_BACK[verdict] else [])


def test_kamals_rollback_is_recorded_and_not_rolled_back(
    server: Server, machine: Machine, program: Program
) -> None:
    program("curl")
    record_judged(server, machine, "regressed", service="shop")
    hook = machine.home / "post-deploy"
    hook.write_text(kamal_hook(server, machine))
    hook.chmod(0o755)
    kamal = {"KAMAL_VERSION": OLD, "KAMAL_SERVICE": "shop", "KAMAL_COMMAND": "rollback"}
    done = machine.run(str(hook), **kamal)
    assert (done.returncode, done.stdout) == (0, " miniapm: HTTP 202\n")
    assert machine.notes() == []
    assert len(server.rows("select id from deploys where git_sha = :sha", sha=OLD)) == 2


def test_kamal_is_given_no_version_that_is_none(server: Server, machine: Machine) -> None:
    record(server, machine, OLD, 21, version="--help; id", service="shop")
    deploy = record(server, machine, SHA, 20, version=SHA, service="shop")
    add_verdict(server, deploy)
    script = recipe(server, machine, "gate-kamal")
    done = machine.run("sh", "-s", stdin=script, KAMAL_VERSION=SHA, KAMAL_SERVICE="shop")
    assert done.returncode == 1
    assert machine.notes() == []


@pytest.mark.parametrize("verdict", [*ROLLED_BACK, "improved", "not_enough_data"])
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_curl_alone(
    server: Server, machine: Machine, program: Program, shell: str, verdict: str
) -> None:
    program("curl")
    record_judged(server, machine, verdict)
    script = recipe(server, machine, "gate-curl")
    done = machine.run(program(shell), "-s", SHA, stdin=script)
    assert done.returncode == int(verdict == "regressed"), done.stdout + done.stderr
    assert f'"verdict":"{verdict}"' in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_curl_alone_without_an_answer(server: Server, machine: Machine, program: Program) -> None:
    program("curl")
    script = recipe(server, machine, "gate-curl")
    late = "miniapm: NOT CHECKED: no verdict in time\n"
    asked = machine.run("sh", "-s", SHA, "production", "0", stdin=script)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", late)
    away = machine.run("sh", "-s", SHA, "x", "0", stdin=script, MINIAPM_URL=closed_port_url())
    assert (away.returncode, away.stdout) == (0, "")
    assert away.stderr.endswith(late)
    record(server, machine, SHA, 20)
    pending = machine.run("sh", "-s", SHA, "production", "0", stdin=script)
    assert (pending.returncode, pending.stdout, pending.stderr) == (0, "", late)


def test_curl_alone_ends_at_once_where_the_key_is_refused(
    server: Server, machine: Machine, program: Program
) -> None:
    program("curl")
    record_judged(server, machine, "regressed")
    script = recipe(server, machine, "gate-curl")
    done = machine.run("sh", "-s", SHA, stdin=script, MINIAPM_API_KEY="proj_x")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("miniapm: NOT CHECKED: 401 ")
    assert "Nobody knows this key" in done.stderr


def record_two_services(server: Server, machine: Machine) -> None:
    """Of the same commit, the newer one fine and the older one regressed."""
    shop = record(server, machine, SHA, 20, service="shop", title="v2 {of} it")
    add_verdict(server, shop)
    blog = record(server, machine, SHA, 19, service="blog", title=f'"service":"shop" {SHA}')
    add_verdict(server, blog, endpoints=(make_endpoint(verdict="unchanged"),))


@pytest.mark.parametrize(("service", "code"), [("shop", 1), ("blog", 0)])
def test_curl_alone_asks_for_the_service_of_the_key(
    server: Server, machine: Machine, program: Program, service: str, code: int
) -> None:
    program("curl")
    record_two_services(server, machine)
    script = recipe(server, machine, "gate-curl")
    key = server.make_key(DEPLOYS_WRITE, env="production", service=service)
    for by in (
        machine.run("sh", "-s", SHA, stdin=script, MINIAPM_API_KEY=key),
        machine.run("sh", "-s", SHA, "production", "60", service, stdin=script),
        machine.run("miniapm", "check", "--sha", SHA, MINIAPM_API_KEY=key),
    ):
        assert by.returncode == code, by.stdout + by.stderr
    unsaid = machine.run("sh", "-s", SHA, stdin=script)
    assert (unsaid.returncode, unsaid.stdout) == (0, "")
    assert "NOT CHECKED: several services have deployed this commit" in unsaid.stderr


def test_curl_alone_passes_over_deploys_that_only_speak_of_the_commit(
    server: Server, machine: Machine, program: Program
) -> None:
    program("curl")
    record_judged(server, machine, "regressed")
    revert = record(server, machine, OLD, 19, title=f"Revert {SHA}")
    add_verdict(server, revert, endpoints=(make_endpoint(verdict="unchanged"),))
    done = machine.run("sh", "-s", SHA, stdin=recipe(server, machine, "gate-curl"))
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.parametrize("slug", [*CI, "gate-kamal"])
def test_which_service_is_meant_is_not_guessed_in_silence(
    server: Server, machine: Machine, slug: str
) -> None:
    sha = make_checkout(machine) if slug == "gate-shell" else SHA
    for service in ("shop", "blog"):
        add_verdict(server, record(server, machine, sha, 20, service=service))
    done = run_recipe(server, machine, "bash", slug, KAMAL_VERSION=sha)
    assert (done.returncode, machine.notes()) == (0, [])
    assert "give --service" in done.stderr
    assert "miniapm: NOT CHECKED (exit 2)" in done.stdout + done.stderr


GUESSED = make_endpoint(is_learning=True)
KNOWN = make_endpoint(endpoint_id=2, name='GET /","outcome":"unchanged')


@pytest.mark.parametrize(
    ("fields", "said", "code"),
    [
        ({}, None, 1),
        ({"state": "provisional", "minutes": 10}, None, 1),
        ({"endpoints": (KNOWN,)}, "confirm", 1),
        ({}, "dismiss", 0),
        ({"is_learning": True, "endpoints": (GUESSED,)}, None, 0),
        # a person knows better than a guess
        ({"is_learning": True, "endpoints": (GUESSED,)}, "confirm", 1),
        # one endpoint is guessed at, another is known to be slower
        ({"is_learning": True, "endpoints": (GUESSED, KNOWN)}, None, 1),
        ({"state": "superseded"}, None, 0),
        ({"state": "withdrawn"}, None, 0),
        ({"endpoints": (make_endpoint(verdict="not_enough_data"),)}, None, 0),
    ],
)
def test_curl_alone_stops_where_the_command_does(
    server: Server,
    machine: Machine,
    program: Program,
    fields: dict[str, Any],
    said: str | None,
    code: int,
) -> None:
    program("curl")
    deploy = record(server, machine, SHA, 20, version='v","outcome":"regressed","x":"')
    add_verdict(server, deploy, **fields)
    if said:
        answer = server.http.post(
            f"/api/v1/deploys/{deploy.id}/review",
            json={"decision": said, "note": '"outcome":"regressed"'},
            headers={"Authorization": f"Bearer {server.make_key('deploys:admin')}"},
        )
        assert answer.status_code == 200
    curl = machine.run("sh", "-s", SHA, stdin=recipe(server, machine, "gate-curl"))
    command = machine.run("miniapm", "check", "--sha", SHA, "--wait", "0", "--json")
    told = json.loads(command.stdout)
    assert (curl.returncode, command.returncode) == (code, code), curl.stdout + command.stdout
    assert f'"outcome":"{told["outcome"]}"' in curl.stdout


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ROLLED_BACK)
def test_capistrano_rolls_back_what_regressed(
    server: Server, machine: Machine, program: Program, tmp_path: Path, verdict: str
) -> None:
    cap = program("cap")
    program("git")
    repository = GitRepository(tmp_path / "repository")
    first = repository.commit("First")
    second = repository.commit("Second")
    project = machine.home
    (project / "config" / "deploy").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    (project / "Capfile").write_text(CAPFILE)
    stage = 'server "localhost", roles: %w[app]\nset :branch, ENV.fetch("BRANCH")\n'
    (project / "config" / "deploy" / "production.rb").write_text(stage)
    deploy_rb = DEPLOY_RB.format(
        repository=str(tmp_path / "repository"),
        target=str(tmp_path / "www"),
        temporary=str(tmp_path / "tmp"),
        snippet="",
    )
    (project / "config" / "deploy.rb").write_text(
        f"{deploy_rb}\n{recipe(server, machine, 'gate-capistrano')}"
    )
    for sha, its_verdict, days in ((first, "unchanged", 21), (second, verdict, 20)):
        deploy = record(server, machine, sha, days)
        add_verdict(server, deploy, endpoints=(make_endpoint(verdict=its_verdict),))
    current = tmp_path / "www" / "current" / "REVISION"

    done = machine.run(cap, "production", "deploy", BRANCH=first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert current.read_text().strip() == first
    # releases are named by the second
    shutil.move(current.parent.resolve(), current.parent.resolve().with_name("20200101000000"))
    current.parent.unlink()
    current.parent.symlink_to(tmp_path / "www" / "releases" / "20200101000000")

    done = machine.run(cap, "production", "deploy", BRANCH=second)
    assert done.returncode == int(ROLLED_BACK[verdict]), done.stdout + done.stderr
    live = first if ROLLED_BACK[verdict] else second
    assert current.read_text().strip() == live
    assert ("regressed and was rolled back" in done.stderr) is ROLLED_BACK[verdict]


def test_a_verdict_that_does_not_come_in_time(server: Server, machine: Machine) -> None:
    record(server, machine, SHA, 0)
    arguments = ("check", "--sha", SHA, "--wait", "2s")
    done = machine.run("miniapm", *arguments)
    assert (done.returncode, done.stderr.count("waiting: ")) == (0, 1)
    assert done.stdout.startswith("pending: ")
    assert "There is no verdict that counts yet." in done.stdout
    assert machine.run("miniapm", *arguments, "--strict").returncode == 1
