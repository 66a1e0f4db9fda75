"""PagerDuty's change events: deploys where they name a revision."""

from typing import Any

from tests.conftest import Server

PATH = "/v2/change/enqueue"


def make_event(key: str, **details: Any) -> dict[str, Any]:
    return {"routing_key": key, "payload": {"summary": "Deployed", "custom_details": details}}


def test_an_empty_body_as_ansible_checks_with(server: Server) -> None:
    assert server.http.post(PATH).status_code == 400


def test_without_a_revision(server: Server) -> None:
    answer = server.http.post(PATH, json=make_event(server.make_key(), environment="production"))
    assert answer.status_code == 400
    reason = "payload.custom_details.revision is required"
    assert answer.json() == {"status": "invalid", "message": f"{reason}.", "errors": [reason]}


def test_a_repository_without_a_scheme(server: Server) -> None:
    event = make_event(server.make_key(), revision="4.2", repo="github.com/ansible/ansible")
    assert server.http.post(PATH, json=event).status_code == 202
    assert server.rows("select git_sha, repository from deploys") == [
        {"git_sha": "4.2", "repository": "https://github.com/ansible/ansible"}
    ]


def test_the_service_and_the_first_link_that_is_one(server: Server) -> None:
    event = make_event(server.make_key(), revision="b6826b8", service="shop")
    event["links"] = [{"text": "no address"}, {"href": "javascript:1"}, {"href": "https://ci/7"}]
    assert server.http.post(PATH, json=event).status_code == 202
    assert server.rows("select service, url from deploys") == [
        {"service": "shop", "url": "https://ci/7"}
    ]
