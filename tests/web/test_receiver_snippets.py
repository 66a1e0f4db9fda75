"""What the page of a new receiver shows to paste: each is run as it stands, against a real server.

For gh, glab and heroku stand programs that tell what they were called with. What their services
then do with a new webhook, send a signed delivery to it, is done with the address and secret there.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from miniapm.domain.receivers.commands import list_commands
from miniapm.domain.receivers.values import KINDS, ReceiverTerms
from tests.conftest import Server
from tests.web.markup import Element, parse_html
from tests.web.receivers.hooks import Hook, deploys, recorded
from tests.web.test_snippets import make_repository, run

Program = Callable[[str], str]
PAGE = "/p/default/settings/receivers"
TRY = "See that it is reached; this stores nothing:"

RECORDER = """#!{python}
import json, pathlib, sys
pathlib.Path({path!r}).write_text(json.dumps(sys.argv[1:]))
"""


def make(server: Server, kind: str, **fields: str) -> tuple[Element, Hook]:
    """A new receiver: the page that shows it, and the receiver as its sender knows it."""
    answer = server.sign_in().post(PAGE, data={"kind": kind, **fields})
    assert answer.status_code == 200
    page = parse_html(answer.text)
    [row] = server.rows("select id from receivers")
    secrets = [found.text for found in page.select("#secret")]
    path = page.one("#address").text.removeprefix(server.url)
    return page, Hook(server, kind, row["id"], path, "".join(secrets))


def commands_of(page: Element) -> list[str]:
    shown = [pre for pre in page.select("pre[data-copy]") if "secret" not in pre["class"]]
    return [pre.one("code").raw_text for pre in shown]


def call_fake(folder: Path, name: str, command: str) -> list[str]:
    """The arguments that a shell gives to the program `name` in a command."""
    called = folder / "called.json"
    fake = folder / name
    fake.write_text(RECORDER.format(python=sys.executable, path=str(called)))
    fake.chmod(0o755)
    done = run("sh", "-eu", "-s", env={"PATH": f"{folder}:/usr/bin:/bin"}, stdin=command)
    assert (done.returncode, done.stderr) == (0, "")
    arguments: list[str] = json.loads(called.read_text())
    return arguments


def fields_of(arguments: list[str]) -> dict[str, list[str]]:
    """What `-f NAME=VALUE` and `-F NAME=VALUE` give, by name."""
    fields: dict[str, list[str]] = {}
    for flag, field in zip(arguments[::2], arguments[1::2], strict=True):
        assert flag in ("-f", "-F")
        name, _, value = field.partition("=")
        fields.setdefault(name, []).append(value)
    return fields


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_the_commands(server: Server, kind: str) -> None:
    page, hook = make(server, kind)
    wanted = list_commands(ReceiverTerms(kind=hook.kind), server.url + hook.path, hook.secret)  # type: ignore[arg-type]
    assert commands_of(page) == [command.text for command in wanted]
    assert not re.search(r"\b(ADDRESS|SECRET|BRANCH|CALL|RUN_OR_STATUS)\b", page.text)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cdevents"])
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_receiver_is_tried(server: Server, program: Program, shell: str, kind: str) -> None:
    program("openssl")
    page, _ = make(server, kind)
    assert TRY in page.text
    done = run(program(shell), "-eu", "-s", stdin=commands_of(page)[-1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" miniapm: HTTP 200\n")
    assert server.rows("select status, deploy_id from receiver_deliveries") == [
        {"status": 200, "deploy_id": None}
    ]
    assert deploys(server) == []


@pytest.mark.parametrize("kind", ["github", "gitlab", "heroku"])
def test_a_try_with_a_wrong_secret_says_so(server: Server, program: Program, kind: str) -> None:
    page, hook = make(server, kind)
    command = commands_of(page)[-1]
    assert hook.secret in command
    done = run(program("sh"), "-s", stdin=command.replace(hook.secret, "another"))
    assert "the webhook has another secret than its receiver" in done.stdout
    assert done.stdout.endswith(" miniapm: HTTP 401\n")
    assert server.rows("select * from receiver_deliveries") == []


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_script_tells_a_cdevent(
    server: Server, program: Program, tmp_path: Path, shell: str
) -> None:
    sha = make_repository(program, tmp_path)
    page, _ = make(server, "cdevents")
    [command] = commands_of(page)
    done = run(program(shell), "-eu", "-s", cwd=tmp_path, stdin=command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" miniapm: HTTP 202\n")
    assert deploys(server, "git_sha, service, env") == [(sha, "shop", "production")]


def test_a_cdevent_never_fails_a_deploy(program: Program, tmp_path: Path) -> None:
    make_repository(program, tmp_path)
    away = "http://127.0.0.1:9/hooks/cdevents/x"
    [command] = list_commands(ReceiverTerms(kind="cdevents"), away)
    done = run(program("bash"), "-e", "-o", "pipefail", "-s", cwd=tmp_path, stdin=command.text)
    assert done.returncode == 0
    assert "curl:" in done.stderr


@pytest.mark.parametrize(
    ("workflows", "event"), [("", "deployment_status"), ("test.yml", "workflow_run")]
)
def test_gh_makes_the_webhook(server: Server, tmp_path: Path, workflows: str, event: str) -> None:
    page, hook = make(server, "github", workflow=workflows)
    arguments = call_fake(tmp_path, "gh", commands_of(page)[0])
    assert arguments[:2] == ["api", "repos/{owner}/{repo}/hooks"]
    fields = fields_of(arguments[2:])
    assert fields["name"] == ["web"]
    assert fields["events[]"] == [event, "push"]
    assert fields["config[content_type]"] == ["json"]
    deliver(hook, fields["config[url]"], fields["config[secret]"]).send(
        recorded("github/ping"), "ping"
    )
    assert server.rows("select status from receiver_deliveries") == [{"status": 200}]


@pytest.mark.parametrize("branch", ["", "it's main"])
def test_glab_makes_the_webhook(server: Server, tmp_path: Path, branch: str) -> None:
    page, hook = make(server, "gitlab", branch=branch)
    arguments = call_fake(tmp_path, "glab", commands_of(page)[0])
    assert arguments[:2] == ["api", "projects/:fullpath/hooks"]
    fields = fields_of(arguments[2:])
    assert fields["deployment_events"] == fields["push_events"] == ["true"]
    assert fields["push_events_branch_filter"] == [branch]
    sent = recorded("gitlab/deployment", ref=branch or "main")
    sender = deliver(hook, fields["url"], fields["token"])
    assert sender.send(sent, "Deployment Hook").status_code == 202


def test_heroku_makes_the_webhook(server: Server, tmp_path: Path) -> None:
    page, hook = make(server, "heroku")
    arguments = call_fake(tmp_path, "heroku", commands_of(page)[0])
    assert arguments[:6] == ["webhooks:add", "-i", "api:release", "-l", "sync", "-u"]
    assert arguments[8:] == ["-a", "APP"]
    sender = deliver(hook, [arguments[6]], [arguments[7].removeprefix("--secret=")])
    assert sender.send(recorded("heroku/release")).status_code == 202


def deliver(hook: Hook, addresses: list[str], secrets: list[str]) -> Hook:
    """The receiver as a service knows it that was given an address and a secret."""
    [address], [secret] = addresses, secrets
    return Hook(hook.server, hook.kind, hook.id, address.removeprefix(hook.server.url), secret)
