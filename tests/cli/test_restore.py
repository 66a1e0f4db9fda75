"""`miniapm restore`."""

import json

from tests.cli.conftest import Command
from tests.conftest import Server


def test_a_round_trip(miniapm: Command) -> None:
    assert miniapm("backup", "copy.db").code == 0
    miniapm("projects", "create", "Later")
    refused = miniapm("restore", "copy.db")
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert len(miniapm.rows("select slug from projects")) == 2
    done = miniapm("restore", "copy.db", "--yes", "--json")
    assert done.code == 0
    assert miniapm.rows("select slug from projects") == [{"slug": "default"}]
    told = json.loads(done.out)
    assert told["path"] == str(miniapm.home / "miniapm.db")
    kept = miniapm("projects", "list", "--json", "--db", told["kept"])
    assert [row["slug"] for row in json.loads(kept.out)] == ["default", "later"]
    assert "everybody signs in again" in done.err
    assert "revoke again" in done.err


def test_a_missing_backup_is_told_before_anything_is_asked(miniapm: Command) -> None:
    done = miniapm("restore", "/nope.db")
    assert (done.code, done.err) == (3, "miniapm: There is no file /nope.db.\n")


def test_it_makes_a_database(miniapm: Command) -> None:
    miniapm("backup", "copy.db")
    done = miniapm("restore", "copy.db", "--db", "new.db", "--json")
    assert (done.code, json.loads(done.out)["kept"]) == (0, None)
    assert miniapm("projects", "list", "--db", "new.db").code == 0


def test_wrong_use(miniapm: Command) -> None:
    (miniapm.home / "bad").write_text("hello")
    before = (miniapm.home / "miniapm.db").read_bytes()
    for source, code in (("bad", 2), ("miniapm.db", 2), ("nothing", 3)):
        done = miniapm("restore", source, "--yes")
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert (miniapm.home / "miniapm.db").read_bytes() == before


def test_not_while_a_server_runs_and_old_cookies_stay_dead(
    server: Server, command: Command
) -> None:
    browser = server.sign_in("admin")
    assert browser.get("/p/default/deploys").status_code == 200
    path = str(server.path)
    assert command("backup", "copy.db", "--db", path).code == 0
    done = command("restore", "copy.db", "--yes", "--db", path)
    assert (done.code, "A server runs on" in done.err) == (3, True)
    assert len(server.rows("select hash from sessions")) == 1
    assert command("restore", "copy.db", "--db", "new.db").code == 0
    assert command("backup", "again.db", "--db", "new.db", "--json").code == 0
    assert [len(server.rows(f"select * from {t}")) for t in ("sessions", "users")] == [1, 1]
    new = Command(command.home / "x", command.capsys, command.patch)
    new.home.mkdir()
    (command.home / "new.db").rename(new.home / "miniapm.db")
    assert new.rows("select * from sessions") == []
    assert len(new.rows("select * from users")) == 1
