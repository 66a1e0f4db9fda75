"""`miniapm doctor`: each trouble is made for real, and found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from miniapm import clock
from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.doctor.file import lacks_room
from miniapm.storage.once import write_once
from miniapm.storage.refusals import Refusal, insert_refusal
from tests.cli.conftest import Command
from tests.conftest import Server, start_server
from tests.factories import make_deploy

FOR_AN_HOUR = "This counts for an hour; for 24 hours when it comes again after an hour or more."


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    yield from start_server(tmp_path / "miniapm.db", clock.now)


@pytest.fixture
def well(server: Server, command: Command) -> Command:
    """A database on which a server runs, with a key that was used and a deploy."""
    server.path.chmod(0o600)
    headers = {"Authorization": f"Bearer {server.make_key('deploys:write')}"}
    answer = server.http.post("/ingest/deploys", headers=headers, json={"git_sha": "abc1234"})
    assert answer.status_code == 202
    return command


def examine(command: Command, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what is not ok apart from what every machine here has."""
    done = command("doctor", "--json", *arguments)
    told = json.loads(done.out)
    assert told["healthy"] == (done.code == 0)
    usual = ("sqlite", "disk")
    return done.code, [
        one for one in told["findings"] if one["mark"] != "ok" and one["about"] not in usual
    ]


def change(command: Command, sql: str) -> None:
    write_once(command.home / "miniapm.db", lambda connection: connection.execute(sql))


def test_all_well(well: Command, server: Server) -> None:
    done = well("doctor")
    assert done.code == 0
    for part in (
        f"The database {well.home / 'miniapm.db'} is whole (",
        "The write-ahead log has",
        "The project default has 1 deploy.",
        f"The server at {server.url} is ready, and so are its jobs.",
    ):
        assert f"ok       {part}" in done.out
    assert "problem" not in done.out


def test_a_server_that_does_not_answer(well: Command) -> None:
    lock = well.home / "miniapm.db-server"
    lock.write_text("http://127.0.0.1:9\n")
    code, [found] = examine(well)
    assert (code, found["mark"]) == (0, "note")
    assert "does not answer at http://127.0.0.1:9." in found["sentence"]
    lock.write_text("")
    code, [found] = examine(well)
    assert (code, found["mark"], "about to run" in found["sentence"]) == (0, "note", True)


def test_no_server(miniapm: Command) -> None:
    code, found = examine(miniapm)
    assert code == 1
    assert [(one["mark"], one["about"]) for one in found if one["mark"] == "problem"] == [
        ("problem", "server")
    ]
    assert "miniapm serve --db" in found[-1]["advice"]


@pytest.mark.parametrize(
    ("sql", "mark", "sentence", "advice"),
    [
        ("delete from deploys", "note", "has no deploys yet", "miniapm deploys import"),
        ("update keys set scopes = 'read'", "note", "No key may record", "miniapm keys create"),
        ("update keys set expires_at = 1", "note", "expired on 1970-01-01", "Make a new one"),
        (
            "update keys set expires_at = :soon",
            "problem",
            "expires on ",
            "miniapm keys rotate ",
        ),
        (
            "update keys set last_used_at = null, created_at = 1",
            "note",
            "was never used",
            "miniapm keys revoke ",
        ),
        (
            "update deploys set status = 'started', deployed_at = 1, updated_at = 1",
            "problem",
            "1 deploy of default began more than 1h ago and still counts as running",
            "time out deploys",
        ),
        (
            f"update deploys set deployed_at = recorded_at + {2 * HOUR}",
            "note",
            "1 deploy of default carries a time after it arrived, by up to 2h",
            "clock is ahead",
        ),
    ],
)
def test_what_rows_tell(well: Command, sql: str, mark: str, sentence: str, advice: str) -> None:
    change(well, sql.replace(":soon", str(clock.now() + 13 * DAY)))
    code, found = examine(well, "--config", "/dev/null")
    assert code == (mark == "problem")
    told = [(one["mark"], one["advice"]) for one in found if sentence in one["sentence"]]
    assert len(told) == 1
    assert told[0][0] == mark
    assert advice in told[0][1]


def test_hidden_deploys_are_mentioned(well: Command) -> None:
    change(well, "update deploys set hidden_at = 1")
    out = well("doctor").out
    assert "has 1 deploy, 1 of them hidden. `miniapm deploys list --hidden` shows" in out


def test_a_hidden_deploy_that_never_ended_is_no_trouble(well: Command) -> None:
    columns = "project_id, service, env, recorded_at, sources, search"
    change(
        well,
        f"""insert into deploys (id, git_sha, status, deployed_at, updated_at, hidden_at, {columns})
        select id + 1, 'bbbbbbb', 'started', 1, 1, 1, {columns} from deploys""",
    )
    now = clock.now()
    visible = f"status = 'started', deployed_at = {now}, updated_at = {now}"
    change(well, f"update deploys set {visible} where hidden_at is null")
    out = well("doctor").out
    assert "1 deploy of default began and has not ended yet." in out
    assert "still count" not in out


def test_refused_calls_are_told_with_advice(well: Command, server: Server) -> None:
    key = server.make_key("read")
    for headers in (
        {"Authorization": "Bearer nobody-s"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"Bearer {server.make_key('deploys:write')}"},
    ):
        for _ in range(2):
            server.http.post("/ingest/deploys", headers=headers, json={"status": "v\x1b[2J"})
    # refusals are kept without waiting for them: a write that does wait comes after
    server.make_key("read")
    code, found = examine(well)
    assert code == 1
    told = [one for one in found if "refused 2 times" in one["sentence"]]
    assert len(told) == 4
    no_key, unknown = (one for one in told if one["about"] == "unknown keys")
    assert no_key["sentence"].startswith("Calls without a key were refused")
    assert no_key["sentence"].endswith(
        ": MINIAPM_API_KEY is not set where the hook runs, or is empty."
    )
    assert no_key["advice"] == FOR_AN_HOUR
    assert unknown["sentence"].startswith("Calls with a key that nobody knows were refused")
    assert "miniapm keys create NAME" in unknown["advice"]
    ours = [one for one in told if one["about"] == "default"]
    assert all(one["sentence"].startswith("Calls with the key test (default)") for one in ours)
    [corrected] = [one["advice"] for one in ours if "Correct what is sent" in one["advice"]]
    assert "git_sha is required" in corrected
    assert "status holds the control character" in corrected
    assert any("403" in one["sentence"] and "scope" in one["advice"] for one in ours)
    assert "\x1b" not in well("doctor").out


def test_a_refusal_is_told_once_and_settled_by_an_accepted_call(
    well: Command, server: Server
) -> None:
    headers = {"Authorization": f"Bearer {server.make_key('deploys:write')}"}
    server.http.post("/ingest/deploys", headers=headers, json={"version": "v1"})
    server.make_key("read")
    code, [found] = examine(well)
    assert (code, found["sentence"].count("git_sha is required")) == (1, 1)
    assert found["advice"] == "This counts for 24 hours, or until a call with this key is accepted."
    server.http.post("/ingest/deploys", headers=headers, json={"git_sha": "def5678"})
    code, [found] = examine(well)
    assert (code, found["mark"]) == (0, "note")
    assert found["advice"] == "A later call with this key was accepted."


def make_receiver(well: Command) -> tuple[str, str, str]:
    """Its id, path and secret."""
    address, secret = well("receivers", "create", "gitlab").out.split()
    [receiver] = json.loads(well("receivers", "list", "--json").out)
    return receiver["id"], "/hooks/" + address.partition("/hooks/")[2], secret


def test_a_refused_webhook_is_told_until_one_is_taken(well: Command, server: Server) -> None:
    receiver_id, path, secret = make_receiver(well)
    body = {"object_kind": "tag_push"}
    answer = server.http.post(path, headers={"X-Gitlab-Token": "another"}, json=body)
    assert answer.status_code == 401
    code, [found] = examine(well)
    assert (code, found["about"]) == (1, "default")
    assert found["sentence"].startswith(
        f"Calls to the gitlab receiver {receiver_id} (default) were refused once (/hooks/gitlab/"
    )
    assert "the webhook has another secret than its receiver" in found["sentence"]
    assert found["advice"].startswith("Give the webhook the secret that was shown")
    for part in (
        "`miniapm receivers create gitlab --project default`",
        f"`miniapm receivers revoke {receiver_id}`",
        "or until a delivery to this receiver is accepted.",
    ):
        assert part in found["advice"]
    taken = server.http.post(path, headers={"X-Gitlab-Token": secret}, json=body)
    assert taken.status_code == 200
    code, [found] = examine(well)
    assert (code, found["mark"]) == (0, "note")
    assert found["advice"] == "A later delivery to this receiver was accepted."


def test_a_webhook_of_a_revoked_or_unknown_receiver(well: Command, server: Server) -> None:
    receiver_id, path, secret = make_receiver(well)
    well("receivers", "revoke", receiver_id)
    assert server.http.post(path, headers={"X-Gitlab-Token": secret}, json={}).status_code == 403
    assert server.http.post(f"{path[:-1]}~", json={}).status_code == 404
    code, [revoked, unknown] = examine(well)
    assert code == 1
    assert "This receiver was revoked" in revoked["sentence"]
    assert "`miniapm receivers create gitlab --project default`" in revoked["advice"]
    assert unknown["sentence"].startswith("Calls to an address that no receiver has were refused")
    assert "`miniapm receivers list`" in unknown["advice"]
    assert "key" not in unknown["sentence"] + unknown["advice"]


def test_a_client_without_its_key(well: Command, server: Server) -> None:
    assert server.http.post("/v1/deploys", json={"api_key": ""}).status_code == 401
    [found] = examine(well)[1]
    assert found["sentence"].startswith("Calls without a key were refused once")
    assert found["advice"] == FOR_AN_HOUR


def test_what_is_left_out_is_counted(well: Command, server: Server) -> None:
    def insert(connection: Connection) -> None:
        for i in range(8):
            kept = Refusal(i + 1, 0, "/ingest/deploys", None, 401, f"m{i}", {}, b"", clock.now())
            insert_refusal(connection, kept)

    write_once(well.home / "miniapm.db", insert)
    *shown, last = examine(well)[1]
    assert len(shown) == 5
    assert last["sentence"] == "Calls were refused for 3 more reasons."
    assert last["advice"] == f"All of them: {server.url}/p/default/settings"
    assert last["mark"] == "problem"


@pytest.mark.parametrize(
    ("ages", "is_problem"),
    [
        ((50 * MINUTE,), True),
        ((70 * MINUTE,), False),
        ((70 * MINUTE, 75 * MINUTE, 80 * MINUTE), False),
        ((2 * HOUR, 9 * HOUR), True),
        ((2 * HOUR, 25 * HOUR), False),
        ((2 * DAY, 3 * DAY), False),
    ],
)
def test_a_mistake_of_nobody_known_is_over_in_an_hour(
    well: Command, ages: tuple[int, ...], is_problem: bool
) -> None:
    def insert(connection: Connection) -> None:
        for i, age in enumerate(ages):
            at = clock.now() - age
            kept = Refusal(9 - i, 0, "/ingest/deploys", None, 401, "unknown", {}, b"", at)
            insert_refusal(connection, kept)

    write_once(well.home / "miniapm.db", insert)
    code, [found] = examine(well)
    assert (code, found["mark"]) == ((1, "problem") if is_problem else (0, "note"))
    assert ("This counts for" in found["advice"]) == is_problem
    assert ("it came again" in found["advice"]) == (is_problem and len(ages) > 1)


def test_old_refusals_are_notes_and_older_ones_are_forgotten(well: Command) -> None:
    def insert(connection: Connection) -> None:
        for i, age in enumerate((2 * DAY, 15 * DAY)):
            at = clock.now() - age
            insert_refusal(
                connection, Refusal(i + 1, 0, "/ingest/deploys", None, 401, f"m{i}", {}, b"", at)
            )

    write_once(well.home / "miniapm.db", insert)
    code, found = examine(well)
    assert code == 0
    told = [one["sentence"] for one in found if one["about"] == "unknown keys"]
    assert len(told) == 1
    assert told[0].endswith(": m0")


def test_one_project_alone(well: Command) -> None:
    well("projects", "create", "Other")
    about = {one["about"] for one in examine(well)[1]}
    assert "other" in about
    assert "other" not in {one["about"] for one in examine(well, "--project", "default")[1]}
    assert well("doctor", "--project", "nope").code == 2


def test_damage_and_permissions(well: Command) -> None:
    path = well.home / "miniapm.db"
    path.chmod(0o644)
    assert any("may read" in one["sentence"] for one in examine(well)[1])
    path.chmod(0o666)
    code, found = examine(well)
    assert code == 1
    assert any("may change" in one["sentence"] and "chmod 600" in one["advice"] for one in found)


def test_a_damaged_file_is_found(miniapm: Command) -> None:
    path = miniapm.home / "miniapm.db"

    def insert(connection: Connection) -> None:
        for i in range(1, 900):
            insert_row(connection, make_deploy(id=i, git_sha=f"{i}"))

    write_once(path, insert)
    content = bytearray(path.read_bytes())
    content[-20_000:] = b"\xff" * 20_000
    path.write_bytes(content)
    done = miniapm("doctor")
    assert done.code in (1, 3)
    assert ("is damaged" in done.out) or ("damaged" in done.err) or ("malformed" in done.err)


def test_without_a_database_it_names_the_path(command: Command) -> None:
    done = command("doctor")
    assert (done.code, str(command.home / "miniapm.db") in done.err) == (3, True)
    (command.home / "miniapm.db").write_text("hello")
    assert command("doctor").code == 3


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (256 * 2**20, 2**30, False),
        (256 * 2**20 - 1, 2**30, True),
        (5 * 2**30, 100 * 2**30, False),
        (5 * 2**30 - 1, 100 * 2**30, True),
    ],
)
def test_room_is_five_percent_or_256_mib(free: int, total: int, expected: bool) -> None:
    assert lacks_room(free, total) == expected
