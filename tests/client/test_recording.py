"""`record_deploy` and the HTTP below it, against real sockets."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from miniapm import record_deploy
from miniapm.client.deadline import Deadline
from miniapm.client.recording import NotRecorded
from miniapm.client.remote import Found, Refused, Sent, Unreachable, get_json, send_deploy
from miniapm.client.server import Server
from miniapm.exceptions import Invalid
from tests.client.recording_server import (
    RecordingServer,
    Reply,
    chattering_server,
    closed_port_url,
    recording_server,
    silent_server,
)

KEY = "proj_TheSecretThatMustNeverBeSeen0123456789"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIAPM_URL", server.url)
    monkeypatch.setenv("MINIAPM_API_KEY", KEY)


def warning(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("miniapm: warning: deploy not recorded: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert KEY not in err
    return err


def test_the_documents_call(server: RecordingServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert record_deploy(version="v1.2.3", git_sha=SHA, deployer="my-deploy-script") is True
    (post,) = server.received
    assert (post.method, post.path) == ("POST", "/ingest/deploys")
    assert post.headers["authorization"] == f"Bearer {KEY}"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["user-agent"].startswith("miniapm/")
    assert post.json() == {"version": "v1.2.3", "git_sha": SHA, "deployer": "my-deploy-script"}
    assert capsys.readouterr() == ("", "")


def test_every_field_travels(server: RecordingServer) -> None:
    fields: dict[str, Any] = {
        "version": "v2",
        "env": "staging",
        "service": "web",
        "deployer": "ann",
        "title": "Größer",
        "description": "two\nlines",
        "status": "started",
        "timestamp": "2024-01-15T14:30:00Z",
        "started_at": 1705329000,
        "url": "https://ci.example.com/1",
        "repository": "git@example.com:a/b.git",
        "id": "run-7",
        "commits": [{"sha": SHA, "timestamp": "2024-01-15T14:00:00Z"}],
    }
    assert record_deploy(SHA, tags=("a", "b"), idempotency_key="once", **fields)
    assert server.posts[0].json() == {"git_sha": SHA, "tags": ["a", "b"], **fields}
    assert server.posts[0].headers["idempotency-key"] == "once"


def test_datetimes_are_sent_with_their_offset(server: RecordingServer) -> None:
    moment = datetime(2024, 1, 15, 14, 30, tzinfo=UTC)
    naive = datetime.fromtimestamp(moment.timestamp())
    assert record_deploy(SHA, timestamp=moment, started_at=naive)
    body = server.posts[0].json()
    assert body["timestamp"] == "2024-01-15T14:30:00+00:00"
    assert datetime.fromisoformat(body["started_at"]) == moment


def test_given_address_and_key_beat_the_environment(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIAPM_URL", closed_port_url())
    monkeypatch.setenv("MINIAPM_API_KEY", "other")
    assert record_deploy(SHA, server_url=server.url + "/", api_key=KEY, url="https://ci/1")
    assert server.posts[0].path == "/ingest/deploys"
    assert server.posts[0].headers["authorization"] == f"Bearer {KEY}"


def test_base_path_is_kept_and_put_before_the_page(server: RecordingServer) -> None:
    behind_proxy = Server(server.url + "/miniapm", KEY)
    sent = send_deploy(behind_proxy, {"git_sha": SHA}, Deadline(5))
    assert server.posts[0].path == "/miniapm/ingest/deploys"
    assert sent == Sent(f"{server.url}/miniapm/p/default/deploys/42")
    server.replies = [Reply(202, {"Location": "/miniapm/p/x/deploys/1"})]
    sent = send_deploy(behind_proxy, {"git_sha": SHA}, Deadline(5))
    assert sent == Sent(f"{server.url}/miniapm/p/x/deploys/1")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retries_carry_the_same_idempotency_key(server: RecordingServer, status: int) -> None:
    server.replies = [Reply(status, {"Retry-After": "0"})]
    assert record_deploy(SHA, idempotency_key="once")
    first, second = server.posts
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "once"
    assert first.body == second.body


def test_no_idempotency_key_is_made_up(server: RecordingServer) -> None:
    assert record_deploy(SHA)
    assert "idempotency-key" not in server.posts[0].headers


@pytest.mark.parametrize(
    "retry_after", ["3600", format_datetime(datetime(2999, 1, 1, tzinfo=UTC), usegmt=True)]
)
def test_a_retry_after_past_the_deadline_ends_it(
    server: RecordingServer, capsys: pytest.CaptureFixture[str], retry_after: str
) -> None:
    body = {"error": "busy", "message": "No room now."}
    server.replies = [Reply.json(503, body, **{"Retry-After": retry_after})]
    assert not record_deploy(SHA)
    assert len(server.posts) == 1
    assert "answered 503, No room now; see that the server runs" in warning(capsys)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "answered 400, Bad: git_sha blank; env too long; correct"),
        (401, "answered 401, Bad: git_sha blank; env too long; set MINIAPM_API_KEY"),
        (403, "answered 403, Bad: git_sha blank; env too long; use a key"),
        (404, "answered 404, Bad: git_sha blank; env too long; see that MINIAPM_URL"),
        (409, "answered 409, Bad: git_sha blank; env too long\n"),
        (500, "answered 500, Bad; see that the server runs"),
    ],
)
def test_refusals_are_told_with_every_field_and_not_retried(
    server: RecordingServer, capsys: pytest.CaptureFixture[str], status: int, expected: str
) -> None:
    fields = {"git_sha": "blank", "env": "too long"}
    server.replies = [Reply.json(status, {"error": "x", "message": "Bad.", "fields": fields})]
    assert record_deploy(SHA) is False
    assert expected in warning(capsys)
    assert len(server.posts) == 1


def test_what_a_server_says_stays_one_harmless_line(
    server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    message = f"bad {KEY}\n::set-output x\x1b[31m\u202e"
    server.replies = [Reply.json(400, {"message": message, "fields": {"a\nb": ["\x00"]}})]
    assert not record_deploy(SHA)
    text = warning(capsys)
    assert "bad *** ::set-output x" in text
    assert text.strip().isprintable()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    server: RecordingServer, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    with recording_server() as other:
        server.replies = [Reply(status, {"Location": f"{other.url}/ingest/deploys"})]
        assert not record_deploy(SHA)
        assert f"redirect to {other.url}/ingest/deploys; set MINIAPM_URL" in warning(capsys)
        assert other.received == []


def test_a_page_of_somebody_else_is_no_success(
    server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.replies = [Reply(200, {"Content-Type": "text/html"}, b"<html>")]
    assert not record_deploy(SHA)
    assert "see that MINIAPM_URL is the address of miniapm" in warning(capsys)


def test_nobody_listens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIAPM_URL", closed_port_url())
    assert not record_deploy(SHA, timeout=1)
    assert "refuses connections" in warning(capsys)


def test_a_server_that_never_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with silent_server() as url:
        assert not record_deploy(SHA, server_url=url, timeout=0.3)
    assert "no answer within 0.3 s" in warning(capsys)


def test_a_server_that_keeps_talking_and_never_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with chattering_server() as url:
        assert not record_deploy(SHA, server_url=url, timeout=0.3)
    assert "no answer within 0.3 s" in warning(capsys)


def test_a_name_without_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert not record_deploy(SHA, server_url="http://nowhere.invalid", timeout=2)
    assert re.search("nowhere.invalid has no address|no answer within", warning(capsys))


def test_tls_to_a_server_without_it(
    server: RecordingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace("http:", "https:")
    assert not record_deploy(SHA, server_url=url, timeout=2)
    assert "does not speak TLS" in warning(capsys)


def test_a_proxy_is_used_but_not_for_this_machine(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with recording_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert record_deploy(SHA)
        assert proxy.received == []
        assert record_deploy(SHA, server_url="http://miniapm.invalid")
        assert proxy.posts[0].path == "http://miniapm.invalid/ingest/deploys"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"git_sha": None}, "git_sha is missing"),
        ({"git_sha": "  "}, "git_sha is missing"),
        ({"git_sha": b"abc"}, "git_sha is missing"),
        ({"git_sha": SHA, "env": object()}, "env cannot be sent as object"),
        ({"git_sha": SHA, "version": b"v1"}, "version cannot be sent as bytes"),
        ({"git_sha": SHA, "timestamp": float("nan")}, "timestamp cannot be sent as float"),
        ({"git_sha": SHA, "timeout": "soon"}, "ValueError"),
        ({"git_sha": SHA, "server_url": "localhost:3000"}, "must begin with http:// or https://"),
        ({"git_sha": SHA, "server_url": "file:///etc/passwd"}, "must begin with http://"),
        ({"git_sha": SHA, "server_url": "http://u:p@host"}, "must not hold a user name"),
        ({"git_sha": SHA, "server_url": "http://host:port"}, "is not an address"),
        ({"git_sha": SHA, "server_url": "http://ho st"}, "has characters"),
        ({"git_sha": SHA, "server_url": "http://host/?a=b"}, "without ? and #"),
        ({"git_sha": SHA, "api_key": KEY + "\r\nX: y"}, "has characters that no key has"),
        ({"git_sha": SHA, "idempotency_key": "a\r\nb: c"}, "idempotency_key must be"),
    ],
)
def test_wrong_use_never_raises(
    server: RecordingServer,
    capsys: pytest.CaptureFixture[str],
    arguments: dict[str, Any],
    expected: str,
) -> None:
    assert record_deploy(**arguments) is False
    assert expected in warning(capsys)
    assert server.received == []
    with pytest.raises(NotRecorded, match=r".+"):
        record_deploy(raise_errors=True, **arguments)


def test_missing_settings_are_both_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MINIAPM_URL")
    monkeypatch.setenv("MINIAPM_API_KEY", " ")
    assert not record_deploy(SHA)
    text = warning(capsys)
    assert "MINIAPM_URL is not set" in text
    assert "MINIAPM_API_KEY is not set" in text


def test_the_key_from_a_file(
    server: RecordingServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "url").write_text(f"{server.url}/\n")
    monkeypatch.setenv("MINIAPM_API_KEY_FILE", str(tmp_path / "key"))
    assert not record_deploy(SHA)
    assert "MINIAPM_API_KEY and MINIAPM_API_KEY_FILE are both set" in warning(capsys)
    monkeypatch.delenv("MINIAPM_API_KEY")
    monkeypatch.delenv("MINIAPM_URL")
    monkeypatch.setenv("MINIAPM_URL_FILE", str(tmp_path / "url"))
    assert record_deploy(SHA)
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("MINIAPM_API_KEY_FILE", "/gone")
    assert not record_deploy(SHA)
    text = warning(capsys)
    assert "MINIAPM_API_KEY_FILE names '/gone', which cannot be read: No such file" in text
    assert record_deploy(SHA, api_key=KEY)


@pytest.mark.parametrize("path", ["/ingest/deploys", "/deployments/", "/api/v1", "/api/v1/deploys"])
def test_an_address_with_one_of_our_paths(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("MINIAPM_URL", f"http://host/base{path}")
    assert not record_deploy(SHA)
    assert warning(capsys).endswith("server's address without a path: http://host/base\n")


def test_raises_when_asked(server: RecordingServer) -> None:
    server.replies = [Reply.json(401, {"message": "Unknown key."})]
    with pytest.raises(NotRecorded, match="answered 401, Unknown key"):
        record_deploy(SHA, raise_errors=True)
    assert record_deploy(SHA, raise_errors=True)


def test_closed_stderr_is_no_reason_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert record_deploy() is False


def test_get_json(server: RecordingServer) -> None:
    where = Server(server.url, KEY)
    query = {"env": "a b", "limit": "1"}
    assert get_json(where, "/api/v1/deploys", Deadline(5), query) == Found(
        {"items": [], "next_cursor": None}
    )
    assert server.gets[0].path == "/api/v1/deploys?env=a+b&limit=1"
    assert server.gets[0].headers["authorization"] == f"Bearer {KEY}"
    server.replies = [Reply(200, {}, b"<html>")]
    assert isinstance(get_json(where, "/x", Deadline(5)), Refused)
    server.replies = [Reply(404)]
    assert get_json(where, "/x", Deadline(5)) == Refused(404, "Not Found", {})
    server.replies = [Reply(503)]
    assert isinstance(get_json(where, "/x", Deadline(5), retry=False), Unreachable)
    assert len(server.gets) == 4


def test_the_key_stays_out_of_reprs() -> None:
    server = Server("http://localhost", KEY)
    assert KEY not in repr(server)
    assert KEY not in repr(server.message("GET", "/", {}))
    with pytest.raises(Invalid) as caught:
        Server.from_environment({"MINIAPM_URL": "x", "MINIAPM_API_KEY": KEY + " x"})
    assert set(caught.value.fields) == {"MINIAPM_URL", "MINIAPM_API_KEY"}
    assert KEY not in caught.value.message


def test_importing_is_light() -> None:
    heavy = ("typer", "msgspec", "asyncio", "starlette", "pydantic", "sqlite3", "http.client")
    code = f"""
import sys
from miniapm import record_deploy
print([name for name in {heavy} if name in sys.modules])
record_deploy("{SHA}", server_url="{closed_port_url()}", api_key="k", timeout=0.1)
print([name for name in {heavy[:-1]} if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n[]\n"
