"""Sessions: where they begin, and everything that ends them."""

from http.cookies import SimpleCookie
from pathlib import Path

import httpx2
import pytest

from miniapm.clock import DAY
from miniapm.domain.tokens import hash_token
from miniapm.storage.users import delete_user
from miniapm.web.auth import SESSION_COOKIE
from tests.conftest import FakeClock, Server, start_server
from tests.web.people import PASSWORD, add_user, is_signed_in, log_in


def cookie_of(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    """The token that an answer sets, and the cookie's attributes that are set."""
    [header] = answer.headers.get_list("set-cookie")
    morsel = SimpleCookie(header)[SESSION_COOKIE]
    return morsel.value, {name: str(value) for name, value in morsel.items() if value}


def test_only_the_hash_of_a_token_is_stored(server: Server) -> None:
    user = add_user(server)
    token, _ = cookie_of(log_in(server))
    [row] = server.rows("select hash, user_id, created_at, expires_at from sessions")
    assert (row["hash"], row["user_id"]) == (hash_token(token), user.id)
    assert row["expires_at"] - row["created_at"] == 30 * DAY
    assert len(token) >= 43


def test_the_cookie_is_kept_from_scripts_and_other_sites(server: Server) -> None:
    add_user(server)
    _, attributes = cookie_of(log_in(server))
    assert attributes == {
        "httponly": "True",
        "samesite": "lax",
        "path": "/",
        "max-age": str(30 * 24 * 3600),
    }


def test_the_cookie_is_secure_behind_a_proxy_with_https(server: Server) -> None:
    add_user(server)
    answer = server.http.post(
        "/login",
        data={"name": "ada", "password": PASSWORD},
        headers={"X-Forwarded-Proto": "https"},
    )
    _, attributes = cookie_of(answer)
    assert attributes["secure"] == "True"


def test_the_cookie_is_secure_when_the_public_address_is_https(
    tmp_path: Path, clock: FakeClock
) -> None:
    public = {"public_url": "https://apm.example.com"}
    for server in start_server(tmp_path / "miniapm.db", clock, server=public):
        add_user(server)
        _, attributes = cookie_of(log_in(server))
        assert attributes["secure"] == "True"


def test_signing_in_never_takes_over_a_token_that_the_browser_brought(server: Server) -> None:
    add_user(server)
    planted = "planted-by-somebody-else"
    with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: planted}) as browser:
        answer = browser.post("/login", data={"name": "ada", "password": PASSWORD})
    token, _ = cookie_of(answer)
    assert token != planted
    assert not is_signed_in(server, planted)
    assert is_signed_in(server, token)


def test_signing_in_again_ends_the_session_before(server: Server) -> None:
    add_user(server)
    first, _ = cookie_of(log_in(server))
    with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: first}) as browser:
        answer = browser.post("/login", data={"name": "ada", "password": PASSWORD})
    second, _ = cookie_of(answer)
    assert not is_signed_in(server, first)
    assert is_signed_in(server, second)


def test_a_session_ends_after_thirty_days(server: Server) -> None:
    add_user(server)
    token, _ = cookie_of(log_in(server))
    server.clock.move(30 * DAY - 1)
    assert is_signed_in(server, token)
    server.clock.move(1)
    assert not is_signed_in(server, token)


def test_signing_out_ends_the_session_in_the_database(server: Server) -> None:
    add_user(server)
    token, _ = cookie_of(log_in(server))
    other, _ = cookie_of(log_in(server))
    with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: token}) as browser:
        answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    value, attributes = cookie_of(answer)
    assert (value, attributes["max-age"]) == ("", "0")
    assert [row["hash"] for row in server.rows("select hash from sessions")] == [hash_token(other)]
    assert not is_signed_in(server, token)
    assert is_signed_in(server, other)


def test_signing_out_without_a_session_is_no_error(server: Server) -> None:
    assert server.http.post("/logout").headers["location"] == "/login"


def test_a_get_does_not_sign_out(server: Server) -> None:
    browser = server.sign_in()
    assert browser.get("/logout").status_code == 405
    assert len(server.rows("select hash from sessions")) == 1


def change_password(
    server: Server, token: str, old: str, new: str, repeated: str | None = None
) -> httpx2.Response:
    with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: token}) as browser:
        form = {"old": old, "password": new, "repeated": new if repeated is None else repeated}
        return browser.post("/account/password", data=form)


def test_a_new_password_ends_every_other_session(server: Server) -> None:
    add_user(server)
    here, _ = cookie_of(log_in(server))
    elsewhere, _ = cookie_of(log_in(server))
    answer = change_password(server, here, PASSWORD, "another good password")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?changed")
    fresh, _ = cookie_of(answer)
    assert is_signed_in(server, fresh)
    assert not is_signed_in(server, here)
    assert not is_signed_in(server, elsewhere)
    assert log_in(server, "ada", PASSWORD).status_code == 403
    assert log_in(server, "ada", "another good password").status_code == 303
    [entry] = server.rows("select actor, action, subject, detail from audit")
    assert entry == {"actor": "ada", "action": "user.password", "subject": "ada", "detail": ""}


@pytest.mark.parametrize(
    ("old", "new", "repeated", "field"),
    [
        ("wrong", "another good password", None, "old"),
        (PASSWORD, "short", None, "password"),
        (PASSWORD, "x" * 1001, None, "password"),
        (PASSWORD, "another good password", "different", "repeated"),
    ],
)
def test_a_bad_password_change_changes_nothing(
    server: Server, old: str, new: str, repeated: str | None, field: str
) -> None:
    add_user(server)
    before = server.rows("select password_hash from users")
    token, _ = cookie_of(log_in(server))
    answer = change_password(server, token, old, new, repeated)
    assert answer.status_code == 400
    assert f'id="fault-{field}"' in answer.text
    assert server.rows("select password_hash from users") == before
    assert is_signed_in(server, token)


def test_deleting_a_user_ends_their_sessions(server: Server) -> None:
    user = add_user(server)
    token, _ = cookie_of(log_in(server))
    assert is_signed_in(server, token)
    server.run(server.running.context.database.write(delete_user, user.id))
    assert not is_signed_in(server, token)
    assert server.rows("select * from sessions") == []
