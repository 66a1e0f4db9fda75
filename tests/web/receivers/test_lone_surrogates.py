"""Half a character, which JSON can hold and no database: wherever it stands, nothing breaks."""

import json

import pytest

from tests.conftest import Server
from tests.domain.receivers.odd_payloads import paths_of, replace_at
from tests.web.receivers.client_call import FORM, ClientCall
from tests.web.receivers.client_calls import CALLS, at_time_of_captures
from tests.web.receivers.hook_samples import SENDERS, Sender
from tests.web.receivers.hooks import make_hook

LONE = "\ud800"
OF_JSON = [call for call in CALLS if call.content_type != FORM]
# the others are long: what is read of them is in test_fuzz
SHORT = {name: s for name, s in SENDERS.items() if s.kind in ("cdevents", "coolify", "heroku")}


@pytest.mark.parametrize("call", OF_JSON, ids=lambda call: call.name)
def test_anywhere_in_a_body(server: Server, call: ClientCall) -> None:
    at_time_of_captures(server)
    key = server.make_key()
    payload = json.loads(call.content)
    for path in paths_of(payload):
        answer = call.send(server, key, json.dumps(replace_at(payload, path, LONE)))
        assert answer.status_code in (call.status, 400, 401), (path, answer.text)
        if answer.status_code != call.status:
            assert call.find_message(answer.json())


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_as_the_key(server: Server, call: ClientCall) -> None:
    in_form, in_json = "%ED%A0%80", r"\ud800"
    headers = {name: value.replace("KEY", r"\ud800") for name, value in call.headers.items()}
    answer = server.http.post(
        call.path.replace("KEY", in_form),
        content=call.content.replace("KEY", in_form if call.content_type == FORM else in_json),
        headers={"Content-Type": call.content_type, **headers},
    )
    assert answer.status_code == 401, answer.text
    assert call.find_message(answer.json())
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize("sender", SHORT.values(), ids=SHORT.keys())
def test_anywhere_in_a_delivery(server: Server, sender: Sender) -> None:
    hook = make_hook(server, sender.kind)
    for said in (sender.said, sender.other):
        for path in paths_of(said):
            answer = hook.send(replace_at(said, path, LONE), sender.event)
            assert answer.status_code in (200, 202, 400), (path, answer.text)
            assert "None" not in answer.text


@pytest.mark.parametrize("name", [LONE, "x" * 101, "a\nb"])
def test_as_the_name_of_an_application(server: Server, name: str) -> None:
    body = json.dumps({"filter": {"name": name}})
    headers = {"Api-Key": server.make_key()}
    answer = server.http.post("/v2/applications.json", content=body, headers=headers)
    assert answer.status_code == 400
    assert "filter.name" in answer.json()["error"]["title"]
