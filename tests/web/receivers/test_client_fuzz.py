"""Whatever is sent to the address of a client: a deploy, or an error in the client's shape."""

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Server
from tests.domain.receivers.odd_payloads import any_objects, make_odd
from tests.web.receivers.client_call import FORM, ClientCall
from tests.web.receivers.client_calls import CALLS, at_time_of_captures

KINDS = ("application/json", FORM, "multipart/form-data; boundary=x", "", "text/plain")
odd_bytes = st.one_of(
    st.binary(max_size=200), any_objects.map(lambda value: json.dumps(value).encode())
)


def draw_body(data: st.DataObject, call: ClientCall, key: str) -> bytes:
    content = call.content.replace("KEY", key)
    if call.content_type == FORM or data.draw(st.booleans()):
        return data.draw(st.one_of(odd_bytes, st.just(content.encode())))
    payload: dict[str, Any] = json.loads(content)
    return json.dumps(make_odd(payload, data)).encode("utf-8", "surrogatepass")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_client_makes_an_error_of_ours(server: Server, data: st.DataObject) -> None:
    at_time_of_captures(server)
    if "fuzz" not in server.keys:
        server.keys["fuzz"] = server.make_key()
    key = server.keys["fuzz"]
    call = data.draw(st.sampled_from(CALLS))
    path = call.path.replace("KEY", key)
    if data.draw(st.booleans()):
        path += ("&" if "?" in path else "?") + quote(data.draw(st.text(max_size=9))) + "=[x]"
    headers = {name: value.replace("KEY", key) for name, value in call.headers.items()}
    headers["Content-Type"] = data.draw(st.sampled_from((call.content_type, *KINDS)))
    answer = server.http.post(path, content=draw_body(data, call, key), headers=headers)
    if answer.status_code != call.status:
        assert answer.status_code in (400, 401), answer.text
        message = call.find_message(answer.json())
        assert isinstance(message, str)
        assert message
