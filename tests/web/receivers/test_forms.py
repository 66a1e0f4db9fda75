"""Forms in parts, as `curl --form` sends them and Rollbar documents it."""

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.exceptions import Invalid
from miniapm.web.receivers.forms import MOST_FIELDS, is_form, read_form
from tests.conftest import Server

KIND = b"multipart/form-data; boundary=xx"


def test_curl_sends_a_form_to_rollbar(server: Server, program: Callable[[str], str]) -> None:
    fields = {
        "access_token": server.make_key(),
        "environment": "staging",
        "revision": "b6826b8",
        "comment": "Hüte;\nand shoes",
        "local_username": "",
    }
    form = [part for name, value in fields.items() for part in ("--form-string", f"{name}={value}")]
    subprocess.run([program("curl"), "-fsS", f"{server.url}/api/1/deploy/", *form], check=True)
    assert server.rows("select git_sha, env, description, deployer from deploys") == [
        {
            "git_sha": "b6826b8",
            "env": "staging",
            "description": "Hüte;\nand shoes",
            "deployer": None,
        }
    ]


def test_a_refused_form_is_kept_without_its_key(server: Server) -> None:
    key = server.make_key()
    parts = {"access_token": (None, key), "environment": (None, "staging")}
    answer = server.http.post("/api/1/deploy", files=parts)
    assert (answer.status_code, answer.json()["message"]) == (400, "revision is required.")
    [refusal] = server.rows("select * from refusals")
    assert key not in str(refusal)
    assert server.rows("select id from deploys") == []


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (b"multipart/form-data", b"", "names no boundary"),
        (KIND, b"--xx\r\n" * (MOST_FIELDS + 2), "more than 1000 fields"),
        (KIND, b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--xx--', "UTF-8"),
        (b"application/x-www-form-urlencoded", b"a&" * (MOST_FIELDS + 1), "more than 1000 fields"),
    ],
)
def test_what_is_no_form_is_refused(kind: bytes, body: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        read_form(kind, body)


@given(st.binary(max_size=100), st.binary(max_size=300))
def test_whatever_comes(boundary: bytes, body: bytes) -> None:
    kind = b"multipart/form-data; boundary=" + boundary
    assert is_form(kind, body)
    try:
        fields = read_form(kind, body)
    except Invalid as error:
        fields = {"message": error.message}
    assert all(isinstance(value, str) for value in fields.values())
