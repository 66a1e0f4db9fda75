"""What the README says under "Keep your tool", run as it stands there, with the tools themselves:
what is stored, and what the tool makes of a refusal."""

import json
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from miniapm.domain.keys import make_secret
from tests.client.git_repository import GitRepository
from tests.conftest import Server
from tests.e2e.kept_tools import README, Client, Program, read_snippets, stored, write_for
from tests.e2e.tls_proxy import TlsProxy
from tests.web.receivers.client_calls import find_call

Run = Callable[..., str]


@pytest.fixture
def sha(repository: GitRepository) -> str:
    """The head of the clone."""
    return repository.commit("Sell shoes")


@pytest.fixture
def run(repository: GitRepository, sha: str, tmp_path: Path) -> Run:
    """Runs a snippet in the clone, where a client is found under its own name; gives what it
    prints, and it must end with `code`."""

    def run_snippet(snippet: str, client: Client | None = None, code: int = 0) -> str:
        found = tmp_path / "bin"
        found.mkdir(exist_ok=True)
        if client is not None:
            name = Path(client.program).name.removesuffix("-2").removesuffix("-3")
            (found / name).symlink_to(client.program)
        variables = client.variables if client else {}
        path = f"{found}:{os.environ['PATH']}"
        shell = Client("/bin/sh", repository.path, {**variables, "PATH": path})
        return shell("-euc", snippet, code=code)

    return run_snippet


def play(program: Program, repository: GitRepository, playbook: str, code: int = 0) -> str:
    path = repository.path / "deploy.yml"
    path.write_text(playbook, encoding="utf-8")
    return Client(program("ansible-playbook"), repository.path)(str(path), code=code)


@pytest.mark.parametrize("name", ["sentry-cli-2", "sentry-cli-3"])
def test_sentry(
    real_server: Server,
    program: Program,
    repository: GitRepository,
    run: Run,
    sha: str,
    name: str,
) -> None:
    client = Client(program(name), repository.path)
    run(write_for(real_server, "Sentry", real_server.make_key()), client)
    assert stored(real_server, "git_sha", "version", "service", "env") == [
        {"git_sha": sha, "version": "1.2.3", "service": "shop", "env": "production"}
    ]
    assert real_server.rows("select sha from deploy_commits") == [{"sha": sha}]


def test_grafana(real_server: Server, program: Program, run: Run) -> None:
    key = real_server.make_key("deploys:write")
    program("curl")
    run(write_for(real_server, "Grafana", key))
    [row] = stored(real_server, "service", "env", "version", "title", "deployed_at")
    deployed_at = row.pop("deployed_at")
    assert row == {
        "service": "shop",
        "env": "production",
        "version": "1.2.3",
        "title": "Deployed by Argo CD",
    }
    [annotation] = json.loads(run(write_for(real_server, "Grafana, the other way round", key)))
    assert annotation["timeEnd"] == deployed_at // 1000
    assert annotation["text"] == "shop 1.2.3 to production: Deployed by Argo CD"


def test_datadog(
    real_server: Server, program: Program, repository: GitRepository, run: Run
) -> None:
    client = Client(program("dog"), repository.path)
    run(write_for(real_server, "Datadog", real_server.make_key()), client)
    assert stored(real_server, "service", "env", "version", "title") == [
        {"service": "shop", "env": "production", "version": "1.2.3", "title": "Deployed shop"}
    ]


def test_datadog_ci(real_server: Server, datadog: Client, run: Run, sha: str) -> None:
    snippet = read_snippets()["datadog-ci"].replace("proj_YOUR_KEY", real_server.make_key())
    # a gate that waits for the verdict of a deploy made just now: it may not wait here
    said = run(snippet.replace("--timeout 900", "--timeout 1"), datadog)
    assert "Gate evaluation in progress" in said
    [row] = stored(real_server, "service", "env", "version", "git_sha")
    assert row == {"service": "shop", "env": "production", "version": "1.2.3", "git_sha": sha}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.miniapm.example", "datadog dora"),
        ("api.rollbar.com", "rollbar-cli"),
        ("api.newrelic.com", "newrelic-admin"),
        ("api.honeycomb.io", "honeycomb hny"),
        # its host can be set: it has its key in the address
        ("api.miniapm.example", "airbrake npm"),
    ],
)
def test_fixed_hosts(real_server: Server, nginx: TlsProxy, host: str, name: str) -> None:
    trusting = ssl.create_default_context(cafile=str(nginx.certificate))
    transport = httpx2.HTTPTransport(uds=str(nginx.socket), verify=trusting)
    key, call = real_server.make_key(), find_call(name)
    with httpx2.Client(base_url=f"https://{host}", transport=transport) as http:
        assert call.post(http, key).status_code == call.status
        assert call.post(http, "nobody's").status_code == 401
    [row] = real_server.rows("select * from deploys")
    assert {column: row[column] for column in call.deploy} == call.deploy
    logs = [path for path in nginx.socket.parent.iterdir() if path.suffix == ".log"]
    assert not any(key in path.read_text(encoding="utf-8") for path in logs)


def test_ansible(
    real_server: Server, program: Program, repository: GitRepository, sha: str
) -> None:
    play(program, repository, write_for(real_server, "Ansible", real_server.make_key()))
    assert stored(real_server, "env", "git_sha", "service", "version", "status", "title") == [
        {
            "env": env,
            "git_sha": sha,
            "service": service,
            "version": version,
            "status": "succeeded",
            "title": title,
        }
        for env, service, version, title in (
            ("honeybadger", "default", None, None),
            ("rollbar", "default", None, None),
            ("airbrake", "default", "1.2.3", None),
            ("pagerduty", "default", None, "Deployed shop"),
            ("bigpanda", "shop", None, None),
        )
    ]
    [begun] = real_server.rows("select env from deploys where started_at is not null")
    assert begun == {"env": "bigpanda"}


@pytest.mark.usefixtures("sha")
def test_ansible_reads_that_it_is_refused(
    real_server: Server, program: Program, repository: GitRepository
) -> None:
    secret = make_secret()
    said = play(program, repository, write_for(real_server, "Ansible", secret), code=2)
    assert "HTTP result code: 401" in said
    assert stored(real_server, "id") == []
    [refusal] = real_server.rows("select * from refusals")
    assert secret not in str(refusal)


@pytest.mark.usefixtures("sha")
def test_pagerduty_in_check_mode(
    real_server: Server, program: Program, repository: GitRepository
) -> None:
    playbook = write_for(real_server, "Ansible", real_server.make_key())
    opening, task, *_ = re.split(r"(?=    - community.general.pagerduty)", playbook, maxsplit=1)
    only = (
        opening.partition("    - community")[0] + task.partition("    - community.general.big")[0]
    )
    play(program, repository, f"{only}      check_mode: true\n")
    assert stored(real_server, "id") == []


def test_bugsnag(real_server: Server, program: Program, run: Run, sha: str) -> None:
    program("bugsnag-build-reporter")
    run(write_for(real_server, "Bugsnag", real_server.make_key()))
    [row] = stored(real_server, "git_sha", "version", "env", "repository", "deployer")
    assert row.pop("deployer")
    assert row == {
        "git_sha": sha,
        "version": "1.2.3",
        "env": "production",
        "repository": "https://github.com/acme/shop.git",
    }


def test_bugsnag_tells_why_it_is_refused(real_server: Server, program: Program, run: Run) -> None:
    program("bugsnag-build-reporter")
    snippet = write_for(real_server, "Bugsnag", real_server.make_key())
    said = run(snippet.replace("1.2.3", "'${VERSION}'"), code=1)
    assert "appVersion holds '${VERSION}', which was not filled in" in said
    assert stored(real_server, "id") == []
    # a refusal is sent once: it would be the same again
    assert len(real_server.rows("select id from refusals")) == 1


def test_logrocket(real_server: Server, program: Program, run: Run) -> None:
    program("logrocket")
    run(write_for(real_server, "LogRocket", real_server.make_key()))
    assert stored(real_server, "git_sha", "version", "service") == [
        {"git_sha": "1.2.3", "version": "1.2.3", "service": "shop"}
    ]
    run(write_for(real_server, "LogRocket", make_secret()), code=1)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Rollbar, from start to end", {"service": "default"}),
        ("New Relic", {"service": "shop", "deployer": "ci"}),
        ("AppSignal", {"service": "default", "deployer": "ci"}),
        ("Honeycomb", {"service": "shop"}),
        ("DevLake", {"external_id": "run-17", "repository": "https://github.com/acme/shop"}),
    ],
)
def test_by_curl(
    real_server: Server,
    program: Program,
    run: Run,
    sha: str,
    title: str,
    expected: dict[str, str],
) -> None:
    program("curl")
    run(write_for(real_server, title, real_server.make_key()))
    expected = {**expected, "git_sha": sha, "status": "succeeded"}
    assert stored(real_server, *expected) == [expected]
    if title.startswith("Rollbar"):
        assert len(real_server.rows("select id from deploy_changes")) == 1


def test_every_address_of_the_table_is_one(real_server: Server) -> None:
    readme = README.read_text(encoding="utf-8")
    table = re.search(r"^\| tool \| its address.*?\n\n", readme, re.M | re.S)
    assert table is not None
    addresses = re.findall(r"`(/[^`]+)`", table[0])
    assert len(addresses) > 9
    for address in addresses:
        path = "/data/events/deployments/end" if address == "/end" else address
        answer = real_server.http.post(path, json={})
        assert answer.status_code in (400, 401), path


def test_every_snippet_is_run() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    fixtures = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
    missed = [title for title in read_snippets() if f'"{title}"' not in tests + fixtures]
    assert missed == []
