"""`miniapm login-link`."""

import re

from miniapm.clock import MINUTE
from miniapm.domain.tokens import hash_token
from tests.cli.conftest import Command
from tests.conftest import Server

PASSWORD = "correct horse battery"


def token_of(link: str, address: str = "http://127.0.0.1:3000") -> bytes:
    match = re.fullmatch(re.escape(address) + r"/login\?token=([\w-]+)\n", link)
    assert match is not None
    return hash_token(match[1])


def test_it_opens_the_page_of_the_first_admin_while_there_is_no_user(miniapm: Command) -> None:
    done = miniapm("login-link")
    assert done.code == 0
    assert "makes the first admin" in done.err
    [row] = miniapm.rows("select * from login_links")
    assert (row["hash"], row["user_id"]) == (token_of(done.out), None)
    assert row["expires_at"] == row["created_at"] + 15 * MINUTE
    [entry] = miniapm.rows("select * from audit")
    assert (entry["actor"], entry["action"]) == ("command line", "login_link.create")


def test_it_signs_in_the_only_user_or_the_one_that_is_named(miniapm: Command) -> None:
    miniapm("users", "create", "ann", stdin=PASSWORD)
    alone = miniapm("login-link")
    miniapm("users", "create", "bob", stdin=PASSWORD)
    named = miniapm("login-link", "bob")
    rows = miniapm.rows("select l.hash, u.name from login_links l join users u on u.id = l.user_id")
    assert {row["name"]: row["hash"] for row in rows} == {
        "ann": token_of(alone.out),
        "bob": token_of(named.out),
    }
    assert "signs bob in" in named.err
    done = miniapm("login-link")
    assert (done.code, done.err) == (2, "miniapm: Name the user; there are: ann, bob.\n")
    assert miniapm("login-link", "zoe").err == "miniapm: There is no user zoe.\n"


def test_its_address_is_the_public_one_else_host_and_port(miniapm: Command) -> None:
    public = miniapm("login-link", MINIAPM_SERVER_PUBLIC_URL="https://apm.example.com")
    token_of(public.out, "https://apm.example.com")
    local = miniapm("login-link", MINIAPM_SERVER_HOST="::", MINIAPM_SERVER_PORT="8080")
    token_of(local.out, "http://[::1]:8080")


def test_addresses_are_those_of_the_running_server(server: Server, command: Command) -> None:
    token_of(command("login-link").out, server.url)
    assert f"curl -i {server.url}/ingest/deploys" in command("keys", "create", "ci").err
    public = command("login-link", MINIAPM_SERVER_PUBLIC_URL="https://apm.example.com")
    token_of(public.out, "https://apm.example.com")
