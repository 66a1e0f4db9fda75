"""`miniapm users`."""

import json

import pytest

from miniapm.storage.once import write_once
from miniapm.storage.passwords import verify_password
from miniapm.storage.sessions import insert_session
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal

PASSWORD = "correct horse battery"


def test_create_takes_the_password_from_stdin(miniapm: Command) -> None:
    done = miniapm("users", "create", " ann ", stdin=f"{PASSWORD}\nmore\n")
    assert (done.code, done.out, done.err) == (0, "", "ann can sign in now, as admin.\n")
    [row] = miniapm.rows("select * from users")
    assert (row["name"], row["role"]) == ("ann", "admin")
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(row["password_hash"], PASSWORD)
    [entry] = miniapm.rows("select * from audit")
    assert (entry["actor"], entry["action"], entry["subject"]) == (
        "command line",
        "user.create",
        "ann",
    )


def test_create_asks_twice_at_a_terminal_and_shows_nothing(miniapm: Command) -> None:
    typed: dict[str, str | None] = {"Password for ": PASSWORD, "The same again: ": PASSWORD}
    code, screen = run_in_terminal(miniapm.home, "users", "create", "ann", typed=typed)
    assert code == 0
    assert PASSWORD not in screen
    [row] = miniapm.rows("select * from users")
    assert verify_password(row["password_hash"], PASSWORD)
    typed["The same again: "] = "something else"
    code, screen = run_in_terminal(miniapm.home, "users", "create", "bob", typed=typed)
    assert code == 2
    assert "The two passwords differ" in screen
    assert len(miniapm.rows("select * from users")) == 1


def test_create_with_projects(miniapm: Command) -> None:
    miniapm("projects", "create", "Blog")
    miniapm("projects", "create", "Shop")
    done = miniapm(
        "users", "create", "bob", "--role", "member", "--project", "shop", "--project", "blog",
        stdin=PASSWORD,
    )  # fmt: skip
    assert done.code == 0
    rows = miniapm.rows(
        "select p.slug from memberships m join projects p on p.id = m.project_id order by p.slug"
    )
    assert [row["slug"] for row in rows] == ["blog", "shop"]
    [listed] = json.loads(miniapm("users", "list", "--json").out)
    assert (listed["name"], listed["role"], listed["projects"]) == (
        "bob",
        "member",
        ["blog", "shop"],
    )


@pytest.mark.parametrize(
    ("arguments", "password", "expected"),
    [
        (["bob", "--role", "member"], PASSWORD, "--project: a member needs at least one"),
        (["bob", "--role", "viewer"], PASSWORD, "--project: a viewer needs at least one"),
        (["bob", "--project", "default"], PASSWORD, "an admin has every project"),
        (["bob", "--role", "viewer", "--project", "nope"], PASSWORD, "There is no project nope"),
        (["ann"], PASSWORD, "There is a user ann already."),
        (["bob"], "short", "The password must have 10 to 1000 characters."),
        (["bob"], "", "No password came on stdin"),
        (["\x1b[2J"], PASSWORD, "at most 100 printable characters"),
    ],
)
def test_create_refuses(
    miniapm: Command, arguments: list[str], password: str, expected: str
) -> None:
    assert miniapm("users", "create", "ann", stdin=PASSWORD).code == 0
    done = miniapm("users", "create", *arguments, stdin=password)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert [row["name"] for row in miniapm.rows("select name from users")] == ["ann"]


def sign_in(miniapm: Command) -> None:
    [user] = miniapm.rows("select id from users")
    write_once(miniapm.home / "miniapm.db", insert_session, b"hash", user["id"], 0, 2**60)


def test_passwd_ends_every_session_and_link(miniapm: Command) -> None:
    miniapm("users", "create", "ann", stdin=PASSWORD)
    sign_in(miniapm)
    miniapm("login-link", "ann")
    assert miniapm("users", "passwd", "ann", stdin="another password").code == 0
    [row] = miniapm.rows("select password_hash from users")
    assert verify_password(row["password_hash"], "another password")
    assert miniapm.rows("select * from sessions") == []
    assert miniapm.rows("select * from login_links") == []
    assert len(miniapm.rows("select * from audit where action = 'user.password'")) == 1
    assert miniapm("users", "passwd", "ann", stdin="short").code == 2
    assert miniapm("users", "passwd", "zoe", stdin=PASSWORD).err == (
        "miniapm: There is no user zoe.\n"
    )


def test_delete_ends_sessions(miniapm: Command) -> None:
    miniapm("users", "create", "bob", "--role", "viewer", "--project", "default", stdin=PASSWORD)
    sign_in(miniapm)
    assert miniapm("users", "delete", "bob").code == 0
    assert miniapm.rows("select * from users") == []
    assert miniapm.rows("select * from sessions") == []
    assert miniapm.rows("select * from memberships") == []
    [entry] = miniapm.rows("select * from audit where action = 'user.delete'")
    assert entry["subject"] == "bob"
    assert miniapm("users", "delete", "bob").code == 2


def test_the_last_admin_goes_only_with_yes(miniapm: Command) -> None:
    miniapm("users", "create", "ann", stdin=PASSWORD)
    miniapm("users", "create", "eve", stdin=PASSWORD)
    miniapm("users", "create", "bob", "--role", "viewer", "--project", "default", stdin=PASSWORD)
    assert miniapm("users", "delete", "eve").code == 0
    done = miniapm("users", "delete", "ann")
    assert done.code == 2
    assert "ann is the last admin" in done.err
    assert len(miniapm.rows("select * from users")) == 2
    code, _ = run_in_terminal(miniapm.home, "users", "delete", "ann", typed={"[y/N]": "yes"})
    assert code == 0
    miniapm("users", "create", "ann", stdin=PASSWORD)
    assert miniapm("users", "delete", "ann", "--yes").code == 0
    assert [row["name"] for row in miniapm.rows("select name from users")] == ["bob"]


def test_list(miniapm: Command) -> None:
    assert "There is no user yet" in miniapm("users", "list").err
    miniapm("users", "create", "ann", stdin=PASSWORD)
    heading, line = miniapm("users", "list").out.splitlines()
    assert heading.split() == ["NAME", "ROLE", "PROJECTS", "CREATED", "ID"]
    assert line.split()[:3] == ["ann", "admin", "all"]
    assert "argon2" not in miniapm("users", "list", "--json").out
