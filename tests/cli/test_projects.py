"""`miniapm projects`, and what belongs to one."""

import json

import pytest

from miniapm.cli.audit import make_act
from miniapm.storage import projects as storage
from miniapm.storage.connection import Connection, open_connection, transaction
from miniapm.storage.once import write_once
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal
from tests.conftest import Server
from tests.factories import START


def test_create_prints_the_slug(miniapm: Command) -> None:
    assert miniapm("projects", "create", " Wéb  shop ").out == "web-shop\n"
    assert miniapm("projects", "create", "Blog", "--slug", "b2").out == "b2\n"
    rows = miniapm.rows("select slug, name from projects where id <> 1 order by id")
    assert rows == [{"slug": "web-shop", "name": "Wéb  shop"}, {"slug": "b2", "name": "Blog"}]
    [entry, _] = miniapm.rows("select * from audit order by id")
    assert (entry["actor"], entry["action"], entry["subject"]) == (
        "command line",
        "project.create",
        "web-shop",
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Default"], "There is a project default already."),
        (["!!"], "needs a letter or a digit"),
        ([" "], "The name of a project is missing"),
        (["x" * 101], "at most 100 printable characters"),
        (["ok", "--slug", "Not OK"], "must be 1 to 50 of a-z, 0-9 and single hyphens"),
    ],
)
def test_create_refuses(miniapm: Command, arguments: list[str], expected: str) -> None:
    done = miniapm("projects", "create", *arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert len(miniapm.rows("select * from projects")) == 1


def test_list(miniapm: Command) -> None:
    fill(miniapm, 1)
    [one] = json.loads(miniapm("projects", "list", "--json").out)
    assert (one["id"], one["slug"], one["name"], one["deploys"]) == ("1", "default", "Default", 1)
    heading, line = miniapm("projects", "list").out.splitlines()
    assert heading.split() == ["SLUG", "NAME", "DEPLOYS", "CREATED", "ID"]
    assert line.split()[:3] == ["default", "Default", "1"]


def test_rename_keeps_the_slug_unless_told(miniapm: Command) -> None:
    miniapm("keys", "create", "ci")
    [before] = miniapm.rows("select changed_at from keys")
    assert miniapm("projects", "rename", "default", "Shop").code == 0
    [row] = miniapm.rows("select slug, name from projects")
    assert row == {"slug": "default", "name": "Shop"}
    assert miniapm("projects", "rename", "default", "Shop", "--slug", "shop").code == 0
    assert miniapm.rows("select slug, name from projects") == [{"slug": "shop", "name": "Shop"}]
    # a running server sees by this that its keys carry another slug
    [after] = miniapm.rows("select changed_at from keys")
    assert after["changed_at"] > before["changed_at"]
    assert len(miniapm.rows("select * from audit where action = 'project.rename'")) == 2


def test_keys_work_on_after_a_rename_beside_a_server(server: Server) -> None:
    key = {"Authorization": f"Bearer {server.make_key()}"}
    assert server.http.post("/ingest/deploys", json={"git_sha": "a1"}, headers=key).is_success
    write_once(server.path, storage.rename_project, make_act(), "default", "Shop", "shop")
    server.run(server.running.context.keyring.refresh())
    answer = server.http.post("/ingest/deploys", json={"git_sha": "b2"}, headers=key)
    assert answer.status_code == 202
    assert answer.headers["location"].startswith("/p/shop/deploys/")
    assert [row["service"] for row in server.rows("select service from deploys order by id")] == [
        "default",
        "shop",
    ]


def test_rename_refuses(miniapm: Command) -> None:
    miniapm("projects", "create", "Blog")
    assert "There is no project nope." in miniapm("projects", "rename", "nope", "x").err
    done = miniapm("projects", "rename", "blog", "x", "--slug", "default")
    assert (done.code, done.err) == (2, "miniapm: There is a project default already.\n")
    assert miniapm.rows("select name from projects where slug = 'blog'") == [{"name": "Blog"}]


def fill(miniapm: Command, project_id: int) -> None:
    """One row in every table that belongs to a project."""
    connection = open_connection(miniapm.home / "miniapm.db")
    values = {"text": "'x'", "integer": str(START), "blob": f"x'{project_id:02x}'"}
    with transaction(connection):
        if not connection.execute("select 1 from users").fetchone():
            connection.execute("insert into users values (5, 'ann', 'x', 'viewer', 0)")
        for table in owned_tables(connection):
            columns = connection.execute(f"pragma table_info({table})").fetchall()
            row = {c["name"]: values[c["type"].lower()] for c in columns if c["notnull"]}
            row |= {"project_id": str(project_id)} | (
                {"id": str(project_id)} if "id" in row else {}
            )
            row |= {"status": "'succeeded'"} if table == "deploys" else {}
            row |= {"format": "'json'"} if "format" in row else {}
            row |= {"state": "'open'"} if table == "error_groups" else {}
            row |= {"state": "'final'", "verdict": "'unchanged'"} if table == "impacts" else {}
            row |= {"decision": "'dismiss'"} if table == "impact_reviews" else {}
            row |= {"deploy_id": str(project_id)} if table.startswith("impact") else {}
            row |= {"state": "'waiting'"} if table == "webhook_deliveries" else {}
            row |= {"webhook_id": str(100 + project_id)} if "webhook_id" in row else {}
            row |= {"token": f"'{project_id}'"} if table == "badges" else {}
            row |= {"kind": "'github'"} if table == "receivers" else {}
            row |= {"user_id": "5"} if table == "memberships" else {}
            row |= {"id": str(100 + project_id)} if any(c["name"] == "id" for c in columns) else {}
            connection.execute(
                # triggers may have filled a table already
                f"insert or replace into {table} ({', '.join(row)}) "
                f"values ({', '.join(row.values())})"
            )
    connection.close()


def owned_tables(connection: Connection) -> list[str]:
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    names = [str(row["name"]) for row in tables]
    return [
        name
        for name in names
        if any(c["name"] == "project_id" for c in connection.execute(f"pragma table_info({name})"))
    ]


def test_delete_removes_all_that_belongs_to_it_and_nothing_else(miniapm: Command) -> None:
    miniapm("projects", "create", "Blog")
    [blog] = miniapm.rows("select id from projects where slug = 'blog'")
    connection = open_connection(miniapm.home / "miniapm.db")
    connection.execute("update projects set id = 2 where id = :id", {"id": blog["id"]})
    tables = owned_tables(connection)
    connection.close()
    assert len(tables) > 5
    fill(miniapm, 1)
    fill(miniapm, 2)
    done = miniapm("projects", "delete", "default", "--yes")
    assert (done.code, done.err) == (0, "The project default is deleted.\n")
    for table in tables:
        [count] = miniapm.rows(
            f"select sum(project_id = 1) as gone, sum(project_id = 2) as kept from {table}"
        )
        if table == "audit":
            assert count["gone"] == 2
        else:
            assert count == {"gone": 0, "kept": 1}, table
    assert miniapm.rows("select slug from projects") == [{"slug": "blog"}]
    [entry] = miniapm.rows("select * from audit where action = 'project.delete'")
    assert (entry["subject"], entry["project_id"]) == ("default", 1)


def test_delete_asks_at_a_terminal(miniapm: Command) -> None:
    question = "Delete the project default (Default) with 0 deploys and all its keys? [y/N] "
    code, screen = run_in_terminal(miniapm.home, "projects", "delete", "default", typed={"N]": "n"})
    assert code == 2
    assert question in screen
    assert "Nothing was changed." in screen
    assert len(miniapm.rows("select * from projects")) == 1
    code, _ = run_in_terminal(miniapm.home, "projects", "delete", "default", typed={"N]": "y"})
    assert code == 0
    assert miniapm.rows("select * from projects") == []


def test_delete_refuses_where_nobody_can_be_asked(miniapm: Command) -> None:
    done = miniapm("projects", "delete", "default", stdin="y\n")
    assert done.code == 2
    assert "add --yes to agree" in done.err
    assert len(miniapm.rows("select * from projects")) == 1
    assert miniapm("projects", "delete", "nope", "--yes").code == 2
