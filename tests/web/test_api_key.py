"""A key asks who it is."""

from tests.conftest import Server


def ask(server: Server, secret: str) -> tuple[int, object]:
    answer = server.http.get("/api/v1/key", headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code, answer.json()


def test_a_key_that_stands_for_a_place(server: Server) -> None:
    secret = server.make_key("deploys:write", name="ci", env="staging", service="web")
    assert ask(server, secret) == (
        200,
        {
            "name": "ci",
            "project": "default",
            "scopes": ["deploys:write"],
            "env": "staging",
            "service": "web",
        },
    )


def test_a_key_that_stands_for_none(server: Server) -> None:
    status, body = ask(server, server.make_key("read"))
    assert status == 200
    assert isinstance(body, dict)
    assert (body["env"], body["service"]) == (None, None)


def test_the_secret_is_not_in_the_answer(server: Server) -> None:
    secret = server.make_key("read")
    assert secret not in str(ask(server, secret))


def test_a_browser_has_no_key(server: Server) -> None:
    assert server.sign_in().get("/api/v1/key").status_code == 403
