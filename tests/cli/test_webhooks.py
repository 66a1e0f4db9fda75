"""`miniapm webhooks`, and what a server of its own sends, killed or not."""

import json
import re
import shlex
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from miniapm.clock import DAY
from tests.cli.conftest import Command
from tests.cli.served import serving
from tests.factories import read_rows
from tests.receiver import Receiver, receiving

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
ALLOW = {"MINIAPM_WEBHOOKS_ALLOW_PRIVATE": "true"}
SLACK = "https://hooks.slack.com/services/T0000000/B0000000/xXxXxXxXxXxXxXxXxXxXxXxX"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def id_of(miniapm: Command) -> str:
    [row] = miniapm.rows("select id from webhooks")
    return str(row["id"])


def test_create_prints_the_secret_alone(miniapm: Command) -> None:
    done = miniapm("webhooks", "create", "https://Example.com/hook", "--event", "error.new")
    assert done.code == 0
    assert done.out.startswith("whsec_")
    assert done.out.count("\n") == 1
    assert done.out.strip() not in done.err
    [row] = miniapm.rows("select * from webhooks")
    assert (row["url"], row["format"]) == ("https://example.com/hook", "json")
    assert (row["events"], row["secret"]) == ("error.new", done.out.strip())
    [entry] = miniapm.rows("select action, subject from audit")
    assert (entry["action"], entry["subject"]) == ("webhook.create", "https://example.com/hook")


def test_the_commands_of_the_readme(miniapm: Command) -> None:
    section = README.partition("\n## Telling people\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "miniapm"
        assert miniapm(*arguments).code == 0
    rows = miniapm.rows("select format, events from webhooks order by id")
    assert [row["format"] for row in rows] == ["slack", "json"]
    assert rows[1]["events"] == "verdict.regressed verdict.recovered"
    inline = re.findall(r"`miniapm (webhooks \w+) \w+`", section)
    assert inline == ["webhooks create", "webhooks rotate"]
    for command in inline:
        assert miniapm(*command.split(), "--help").code == 0


def test_rotate_prints_the_new_secret_alone(miniapm: Command) -> None:
    old = miniapm("webhooks", "create", "https://example.com/hook").out.strip()
    done = miniapm("webhooks", "rotate", id_of(miniapm))
    assert done.code == 0
    assert done.out.startswith("whsec_")
    assert done.out.strip() != old
    assert done.out.strip() not in done.err
    assert old not in done.out + done.err
    assert "The old secret signs, too, until 20" in done.err
    [row] = miniapm.rows("select secret, old_secret, old_secret_until from webhooks")
    assert (row["secret"], row["old_secret"]) == (done.out.strip(), old)
    [entry] = miniapm.rows("select happened_at from audit where action = 'webhook.rotate'")
    assert row["old_secret_until"] == entry["happened_at"] + DAY

    done = miniapm("webhooks", "rotate", id_of(miniapm), "--overlap", "0")
    assert "The old secret no longer signs." in done.err
    [row] = miniapm.rows("select secret, old_secret, old_secret_until from webhooks")
    assert tuple(row.values()) == (done.out.strip(), None, None)
    for arguments, code in ((["1"], 2), ([id_of(miniapm), "--overlap", "soon"], 2)):
        done = miniapm("webhooks", "rotate", *arguments)
        assert (done.code, done.out) == (code, "")


def test_all_events_and_the_fitting_format_are_the_default(miniapm: Command) -> None:
    assert miniapm("webhooks", "create", SLACK).code == 0
    [row] = miniapm.rows("select * from webhooks")
    assert row["format"] == "slack"
    assert row["events"].split() == [
        "deploy.recorded",
        "verdict.reached",
        "verdict.regressed",
        "verdict.recovered",
        "error.new",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["https://a.example", "--event", "verdict.regresed"], "did you mean verdict.regressed"),
        (["https://a.example", "--format", "slak"], "did you mean slack"),
        (["https://u:p@a.example"], "must not name a user or a password"),
        (["ftp://a.example"], "must begin with https:// or http://"),
        (["http://127.0.0.1/"], "webhooks.allow_private in miniapm.toml, or MINIAPM_WEBHOOKS_"),
        (["http://127.0.0.1/"], "once the server is started again"),
        (["http://169.254.169.254/"], "no webhook may reach"),
        (["http://2130706433/"], "not four plain numbers"),
        (["https://a.example", "--project", "nope"], "There is no project nope"),
    ],
)
def test_create_refuses(miniapm: Command, arguments: list[str], expected: str) -> None:
    done = miniapm("webhooks", "create", *arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert miniapm.rows("select * from webhooks") == []


def test_a_project_has_so_many_and_no_more(miniapm: Command) -> None:
    for number in range(20):
        assert miniapm("webhooks", "create", f"https://a.example/{number}").code == 0
    done = miniapm("webhooks", "create", "https://a.example/20")
    assert done.code == 2
    assert "the most" in done.err


def test_list_shows_no_secret(miniapm: Command) -> None:
    assert "There is no webhook yet" in miniapm("webhooks", "list").err
    secret = miniapm("webhooks", "create", SLACK).out.strip()
    for listed in (miniapm("webhooks", "list"), miniapm("webhooks", "list", "--json")):
        assert listed.code == 0
        assert "https://hooks.slack.com/services/T0000000/B0000000/xXxX…" in listed.out
        assert secret not in listed.out
        assert SLACK not in listed.out
    [row] = json.loads(miniapm("webhooks", "list", "--json").out)
    assert (row["id"], row["state"], row["project"]) == (id_of(miniapm), "not tried", "default")


def test_test_sends_one_signed_message(miniapm: Command, receiver: Receiver) -> None:
    secret = miniapm("webhooks", "create", receiver.url, **ALLOW).out.strip()
    done = miniapm("webhooks", "test", id_of(miniapm), **ALLOW)
    assert (done.code, done.out) == (0, "")
    assert "arrived" in done.err
    [call] = receiver.calls
    assert call.is_signed_with(secret)
    assert call.json["type"] == "webhook.test"
    [row] = miniapm.rows("select state, status, next_attempt_at from webhook_deliveries")
    assert tuple(row.values()) == ("delivered", 204, None)
    [listed] = json.loads(miniapm("webhooks", "list", "--json").out)
    assert listed["state"] == "delivers"


def test_test_says_what_went_wrong(miniapm: Command) -> None:
    with receiving((500, {})) as receiver:
        miniapm("webhooks", "create", receiver.url, **ALLOW)
        refused = miniapm("webhooks", "test", id_of(miniapm))
        assert refused.code == 3
        assert "which is private" in refused.err
        assert receiver.calls == []
        done = miniapm("webhooks", "test", id_of(miniapm), **ALLOW)
        assert done.code == 1
        assert "it answers 500" in done.err
    done = miniapm("webhooks", "test", id_of(miniapm), **ALLOW)
    assert done.code == 3
    assert "refuses connections" in done.err
    states = miniapm.rows("select state, next_attempt_at from webhook_deliveries")
    assert [tuple(row.values()) for row in states] == [("failed", None)] * 3
    [listed] = json.loads(miniapm("webhooks", "list", "--json").out)
    assert listed["state"] == "fails"


def test_test_of_one_that_is_gone(miniapm: Command) -> None:
    with receiving((410, {})) as receiver:
        miniapm("webhooks", "create", receiver.url, **ALLOW)
        assert miniapm("webhooks", "test", id_of(miniapm), **ALLOW).code == 1
        done = miniapm("webhooks", "test", id_of(miniapm), **ALLOW)
        assert done.code == 2
        assert "is off" in done.err
        assert len(receiver.calls) == 1


def test_delete(miniapm: Command) -> None:
    miniapm("webhooks", "create", SLACK)
    wanted = id_of(miniapm)
    assert miniapm("webhooks", "delete", "123").code == 2
    assert miniapm("webhooks", "delete", wanted).code == 0
    assert miniapm.rows("select * from webhooks") == []
    again = miniapm("webhooks", "delete", wanted)
    assert again.code == 2
    assert f"There is no webhook {wanted}" in again.err


def test_doctor_tells_of_webhooks(miniapm: Command) -> None:
    def told() -> list[tuple[str, str]]:
        findings = json.loads(miniapm("doctor", "--json").out)["findings"]
        return [
            (one["mark"], one["sentence"]) for one in findings if "The webhook" in one["sentence"]
        ]

    assert told() == []
    with receiving((200, {}), (500, {}), (410, {})) as receiver:
        miniapm("webhooks", "create", receiver.url, **ALLOW)
        wanted = id_of(miniapm)
        for mark, part in (("ok", "delivers"), ("problem", "it answers 500"), ("problem", "off")):
            miniapm("webhooks", "test", wanted, **ALLOW)
            [(found, sentence)] = told()
            assert found == mark
            assert part in sentence


def test_a_server_that_is_killed_goes_on(miniapm: Command) -> None:
    """Killed while the receiver still thinks: the message comes again, under the same id."""
    key = miniapm("keys", "create", "ci").out.strip()
    headers = {"Authorization": f"Bearer {key}"}
    with receiving() as receiver:
        secret = miniapm("webhooks", "create", receiver.url, **ALLOW).out.strip()
        receiver.silence = threading.Event()
        with serving(miniapm.home, lines=2, **ALLOW) as served:
            answer = httpx2.post(
                f"{served.address}/ingest/deploys", json={"git_sha": "abc1234"}, headers=headers
            )
            assert answer.status_code == 202
            receiver.wait(1)
            served.stop(signal.SIGKILL)
        receiver.silence.set()
        assert states_of(miniapm.home) == ["waiting"]
        with serving(miniapm.home, lines=2, **ALLOW) as served:
            first, second = receiver.wait(2)
            # stops at once, whatever the job is at
            assert served.stop()[0] == 0
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.is_signed_with(secret)


def states_of(home: Path) -> list[str]:
    rows = read_rows(home / "miniapm.db", "select state from webhook_deliveries")
    return [row["state"] for row in rows]
