"""`miniapm keys`: what is printed where, and the row it leaves."""

import json

from miniapm.clock import DAY, HOUR, now, to_rfc3339
from miniapm.domain.keys import display_of, hash_secret, looks_like_key
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal


def test_create_prints_only_the_key_on_stdout(miniapm: Command) -> None:
    before = now()
    done = miniapm("keys", "create", " ci ")
    secret = done.out.rstrip("\n")
    assert done.code == 0
    assert done.out == f"{secret}\n"
    assert looks_like_key(secret)
    assert secret not in done.err
    assert "curl -i http://127.0.0.1:3000/ingest/deploys" in done.err
    [row] = miniapm.rows("select * from keys")
    assert row["hash"] == hash_secret(secret)
    assert (row["name"], row["display"], row["project_id"]) == ("ci", display_of(secret), 1)
    assert row["scopes"] == "deploys:write traces:write errors:write"
    assert (row["env"], row["service"], row["expires_at"]) == (None, None, None)
    assert before <= row["created_at"] <= now()
    [entry] = miniapm.rows("select * from audit")
    assert (entry["actor"], entry["action"], entry["subject"], entry["project_id"]) == (
        "command line",
        "key.create",
        "ci",
        1,
    )


def test_create_with_everything(miniapm: Command) -> None:
    miniapm("projects", "create", "Web shop")
    done = miniapm(
        "keys", "create", "ci", "--project", "web-shop", "--scope", "read", "--scope",
        "deploys:admin", "--env", "staging", "--service", "api", "--expires", "90d",
    )  # fmt: skip
    assert done.code == 0
    [row] = miniapm.rows("select k.*, p.slug from keys k join projects p on p.id = k.project_id")
    assert (row["slug"], row["scopes"]) == ("web-shop", "deploys:admin read")
    assert (row["env"], row["service"]) == ("staging", "api")
    assert row["expires_at"] == row["created_at"] + 90 * DAY
    assert to_rfc3339(row["expires_at"]) in done.err
    assert "curl" not in done.err  # it may not record deploys


def test_the_curl_line_shows_the_configured_address(miniapm: Command) -> None:
    done = miniapm("keys", "create", "ci", MINIAPM_SERVER_PUBLIC_URL="https://apm.example.com/")
    assert "curl -i https://apm.example.com/ingest/deploys" in done.err


def test_at_a_terminal_the_curl_line_is_ready_to_paste(miniapm: Command) -> None:
    code, screen = run_in_terminal(miniapm.home, "keys", "create", "ci", typed={})
    assert code == 0
    secret = screen.splitlines()[0]
    assert looks_like_key(secret)
    assert f'-H "Authorization: Bearer {secret}"' in screen


def test_the_project_is_the_only_one_else_default_else_it_must_be_named(miniapm: Command) -> None:
    miniapm("projects", "rename", "default", "Shop", "--slug", "shop")
    miniapm("keys", "create", "a")
    miniapm("projects", "create", "Blog")
    done = miniapm("keys", "create", "b")
    assert done.code == 2
    assert "--project; there are: blog, shop." in done.err
    miniapm("projects", "create", "Default")
    miniapm("keys", "create", "c")
    rows = miniapm.rows("select k.name, p.slug from keys k join projects p on p.id = k.project_id")
    assert {row["name"]: row["slug"] for row in rows} == {"a": "shop", "c": "default"}


def test_bad_input_is_refused_and_leaves_nothing(miniapm: Command) -> None:
    for arguments, expected in [
        (["ci", "--scope", "all"], "There is no scope 'all'; there are deploys:write"),
        (["ci", "--project", "nope"], "There is no project nope"),
        (["ci", "--expires", "soon"], "--expires: must be a number and a unit"),
        (["  "], "The name of a key is missing"),
        (["a\nb"], "must be at most 100 printable characters"),
        (["ci", "--env", "x" * 101], "must be at most 100 printable characters"),
    ]:
        done = miniapm("keys", "create", *arguments)
        assert (done.code, done.out) == (2, "")
        assert expected in done.err
    assert miniapm.rows("select * from keys") == []


def test_list_shows_state_and_never_a_secret(miniapm: Command) -> None:
    assert "There is no key yet" in miniapm("keys", "list").err
    secret = miniapm("keys", "create", "one", "--expires", "24h").out.strip()
    miniapm("keys", "create", "two")
    [one, two] = json.loads(miniapm("keys", "list", "--json").out)
    assert (one["name"], one["display"], one["project"]) == ("one", secret[:8], "default")
    assert one["scopes"] == ["deploys:write", "traces:write", "errors:write"]
    assert one["state"] == f"ends {one['expires_at']}"
    assert two["state"] == "valid"
    assert two["last_used_at"] is None
    table = miniapm("keys", "list").out
    assert one["id"] in table
    assert secret not in table
    assert secret not in miniapm("keys", "list", "--json").out


def test_list_of_one_project(miniapm: Command) -> None:
    miniapm("projects", "create", "Blog")
    miniapm("keys", "create", "here")
    miniapm("keys", "create", "there", "--project", "blog")
    listed = json.loads(miniapm("keys", "list", "--project", "blog", "--json").out)
    assert [key["name"] for key in listed] == ["there"]
    assert miniapm("keys", "list", "--project", "nope").code == 2


def test_revoke_ends_a_key_now(miniapm: Command) -> None:
    miniapm("keys", "create", "ci")
    [row] = miniapm.rows("select id from keys")
    done = miniapm("keys", "revoke", str(row["id"]))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"The key ci ({row['id']}) of the project default is revoked.\n"
    [row] = miniapm.rows("select * from keys")
    assert row["revoked_at"] <= now()
    assert json.loads(miniapm("keys", "list", "--json").out)[0]["state"] == "revoked"
    [entry] = miniapm.rows("select * from audit where action = 'key.revoke'")
    assert entry["subject"] == "ci"


def test_create_repeats_what_the_key_stands_for(miniapm: Command) -> None:
    done = miniapm("keys", "create", "ci", "--env", "staging", "--service", "web")
    assert "It stands for env staging and service web where a payload names none." in done.err
    assert "stands for" not in miniapm("keys", "create", "ci").err


def test_rotate_prints_only_the_new_key_and_lets_both_work(miniapm: Command) -> None:
    old = miniapm("keys", "create", "ci", "--scope", "read", "--env", "staging").out.strip()
    [row] = miniapm.rows("select id from keys")
    done = miniapm("keys", "rotate", str(row["id"]))
    assert done.code == 0
    assert looks_like_key(done.out.strip())
    assert done.out.strip() != old
    first, second = miniapm.rows("select * from keys order by id")
    assert second["hash"] == hash_secret(done.out.strip())
    assert (second["name"], second["scopes"], second["env"]) == ("ci", "read", "staging")
    assert second["revoked_at"] is None
    assert first["revoked_at"] == second["created_at"] + DAY
    assert to_rfc3339(first["revoked_at"]) in done.err


def test_rotate_without_and_with_an_overlap(miniapm: Command) -> None:
    for overlap, length in [("0", 0), ("2h", 2 * HOUR)]:
        miniapm("keys", "create", f"with {overlap}")
        [row] = miniapm.rows("select max(id) as id from keys")
        done = miniapm("keys", "rotate", str(row["id"]), "--overlap", overlap)
        assert done.code == 0
        assert ("no longer works." in done.err) == (length == 0)
        assert ("works until" in done.err) == (length > 0)
        [old] = miniapm.rows("select * from keys where id = :id", id=row["id"])
        assert old["revoked_at"] == old["changed_at"] + length
    assert miniapm("keys", "rotate", str(row["id"]), "--overlap", "-1").code == 2


def test_what_is_no_key(miniapm: Command) -> None:
    miniapm("keys", "create", "ci")
    [row] = miniapm.rows("select id from keys")
    miniapm("keys", "revoke", str(row["id"]))
    for arguments, expected in [
        (["revoke", "12"], "There is no key 12; `miniapm keys list` shows their ids and names."),
        (["revoke", " "], "The name of a key is missing"),
        (["revoke", "cd"], "There is no key cd; `miniapm keys list` shows their ids and names."),
        (["rotate", str(row["id"])], "has ended already; make a new one instead"),
    ]:
        done = miniapm("keys", *arguments)
        assert (done.code, done.out) == (2, "")
        assert expected in done.err


def test_a_key_is_named_by_its_name_where_no_other_has_it(miniapm: Command) -> None:
    miniapm("keys", "create", "ci")
    miniapm("keys", "create", "app")
    done = miniapm("keys", "rotate", "ci")
    assert done.code == 0
    first, app, second = miniapm.rows("select * from keys order by id")
    assert f"The old key ({first['id']}) works until" in done.err
    assert (second["name"], second["hash"]) == ("ci", hash_secret(done.out.strip()))
    # while the old one still works there are two
    done = miniapm("keys", "revoke", "ci")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "miniapm: There are 2 keys ci; name one by its id: "
        f"{first['id']} (default, ends {to_rfc3339(first['revoked_at'])}), "
        f"{second['id']} (default, valid).\n"
    )
    assert miniapm("keys", "revoke", str(first["id"])).code == 0
    done = miniapm("keys", "revoke", "ci")
    assert done.err == f"The key ci ({second['id']}) of the project default is revoked.\n"
    rows = miniapm.rows("select id from keys where revoked_at is null")
    assert [row["id"] for row in rows] == [app["id"]]
    done = miniapm("keys", "revoke", "ci")  # both have ended: nobody knows which is meant
    assert (done.code, done.err.count("(default, revoked)")) == (2, 2)


def test_an_id_comes_before_a_name(miniapm: Command) -> None:
    miniapm("keys", "create", "one")
    [row] = miniapm.rows("select id from keys")
    miniapm("keys", "create", str(row["id"]))
    assert f"The key one ({row['id']})" in miniapm("keys", "revoke", f" {row['id']} ").err
    miniapm("keys", "create", "77")
    assert "The key 77 (" in miniapm("keys", "revoke", "77").err
