"""Refused ingest calls are kept: hooks rarely look at the answer, so somebody else must."""

import gzip
import json
import subprocess
import sys
from typing import Any

import httpx2
import pytest

from miniapm.clock import SECOND
from miniapm.domain.keys import READ
from miniapm.domain.scrubbing import make_scrubber
from miniapm.exceptions import Invalid
from miniapm.storage.connection import Connection
from miniapm.storage.refusals import KEPT_PER_PROJECT, Refusal, find_refusals, insert_refusal
from miniapm.web.refusals import KEPT_PER_SECOND, describe_body
from tests import factories
from tests.conftest import Server


def post(
    server: Server, key: str | None, body: bytes = b"{}", path: str = "/ingest/deploys"
) -> httpx2.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return server.http.post(path, content=body, headers=headers)


def flush(connection: Connection) -> None:
    """A write of nothing: when it is done, all that came before it is on disk."""


def refusals(server: Server) -> list[dict[str, Any]]:
    server.run(server.running.context.database.write(flush))
    return server.rows("select * from refusals order by id")


def test_a_refusal_is_kept_with_what_is_needed_to_mend_it(server: Server) -> None:
    key = server.make_key()
    answer = post(server, key, b'{"version": 5, "title": "t"}')
    [row] = refusals(server)
    [known] = server.rows("select id, project_id from keys")
    assert (row["project_id"], row["key_id"]) == (known["project_id"], known["id"])
    assert (row["route"], row["status"]) == ("/ingest/deploys", 400)
    assert row["refused_at"] == server.clock()
    assert row["message"] == answer.json()["message"]
    assert json.loads(row["fields"]) == {
        "git_sha": "is required",
        "version": "must be text, not a number",
    }
    assert row["body"] == b'{"version": 5, "title": "t"}'


def test_each_way_to_be_refused_is_kept(server: Server) -> None:
    reader = server.make_key(READ)
    ended = server.make_key(expires_at=server.clock())
    key = server.make_key()
    good = b'{"commitSha": "a", "environmentName": "b"}'
    wanted = [
        post(server, None, good).status_code,
        post(server, "unknown", good).status_code,
        post(server, reader, good).status_code,
        post(server, ended, good).status_code,
        post(server, key, b"x" * (2**20 + 1)).status_code,
        post(server, key, b"{}", "/deployments").status_code,
    ]
    assert wanted == [401, 401, 403, 403, 413, 400]
    rows = refusals(server)
    assert [row["status"] for row in rows] == wanted
    assert [row["route"] for row in rows] == ["/ingest/deploys"] * 5 + ["/deployments"]
    # what nobody's key sent belongs to nobody
    assert [row["project_id"] == 0 for row in rows] == [True, True, False, False, False, False]
    assert [row["body"][:42] for row in rows[:4]] == [good] * 4


def test_what_was_taken_is_no_refusal(server: Server) -> None:
    post(server, server.make_key(), b'{"git_sha": "a"}')
    server.http.get("/ingest/deploys")
    assert refusals(server) == []


def test_only_the_first_two_kilobytes_are_kept(server: Server) -> None:
    post(server, server.make_key(), b'{"a": "' + b"x" * 10_000 + b'"}')
    [row] = refusals(server)
    assert len(row["body"]) == 2048


def test_the_last_200_of_a_project_are_kept(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    key, other = server.make_key(), server.make_key(project="other")
    post(server, other, b'{"first": 1}')
    context = server.running.context
    known = server.run(context.keyring.find(key))

    async def refuse_many() -> None:
        for number in range(KEPT_PER_PROJECT + 5):
            await context.refusals.record("/x", known, Invalid("No."), b'{"n": %d}' % number)
            server.clock.move(SECOND)

    server.run(refuse_many())
    rows = refusals(server)
    assert len(rows) == KEPT_PER_PROJECT + 1
    assert rows[0]["body"] == b'{"first": 1}'
    assert [rows[1]["body"], rows[-1]["body"]] == [b'{"n": 5}', b'{"n": 204}']
    project_id = rows[-1]["project_id"]
    newest = server.run(server.running.context.database.read(find_refusals, project_id, 2))
    assert [refusal.body for refusal in newest] == [b'{"n": 204}', b'{"n": 203}']


def test_a_flood_of_strangers_hides_no_refusal_of_a_project(server: Server) -> None:
    for _ in range(KEPT_PER_SECOND + 20):
        assert post(server, None).status_code == 401
    post(server, server.make_key())
    rows = refusals(server)
    assert [row["project_id"] == 0 for row in rows] == [True] * KEPT_PER_SECOND + [False]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"a": "proj_abcDEF123"}', b'{"a": "[masked]"}'),
        (b'{"password": "a b c", "b": 1}', b'{"password": [masked], "b": 1}'),
        (b'{"api_key":"x","API-KEY":"y"}', b'{"api_key":[masked],"API-KEY":[masked]}'),
        (b"{'db_secret': 'x y'}", b"{'db_secret': [masked]}"),
        (b"token=abc&git_sha=1", b"token=[masked]&git_sha=1"),
        (b"Authorization: Bearer abc.def", b"Authorization: [masked]"),
        (b'{"authorization": "Bearer abc def"}', b'{"authorization": [masked]}'),
        (
            b'{"url": "https://bot:hunter2@git.example/x"}',
            b'{"url": "https://[masked]@git.example/x"}',
        ),
        (b'{"token": "cut sho', b'{"token": [masked]'),
        (b'{"password": "a\\"b c", "b": 1}', b'{"password": [masked], "b": 1}'),
        (b'{"client_secrets": ["a", "b"], "b": 1}', b'{"client_secrets": [masked], "b": 1}'),
        (b'{"Set-Cookie": "sid=1", "PWD": "/x"}', b'{"Set-Cookie": [masked], "PWD": [masked]}'),
        (b'{"private_key": "-----BEGIN"}', b'{"private_key": [masked]}'),
        (b'{"git_sha": "abc", "tokens_used": 5}', b'{"git_sha": "abc", "tokens_used": [masked]}'),
        (b'{"git_sha": "abc", "description": "t"}', b'{"git_sha": "abc", "description": "t"}'),
    ],
)
def test_credentials_are_masked(body: bytes, kept: bytes) -> None:
    masked = describe_body(body, b"application/json", make_scrubber())
    assert b"abc def" not in masked
    assert masked == kept


@pytest.mark.parametrize(
    "body",
    [
        b'{"key":"password","value":{"stringValue":"s3cr3t"}}',
        b'{ "value": {"arrayValue": {"values": [{"stringValue": "s3cr3t"}]}}, "key": "token" }',
        b'{"a": "'
        + b"x" * 2000
        + b'", "b": [{"value": "s3cr3t'
        + b"y" * 30
        + b'", "key": "token"}]}',
    ],
)
def test_attributes_of_telemetry_are_masked(server: Server, body: bytes) -> None:
    assert post(server, server.make_key(), body).status_code == 400
    [row] = refusals(server)
    assert b"s3cr3t" not in row["body"]
    assert b"[masked]" in row["body"]


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        (
            "application/x-protobuf",
            b"\n\x06secret" * 200,
            b"(1,600 bytes of application/x-protobuf)",
        ),
        ("application/x-protobuf", b"plain", b"(5 bytes of application/x-protobuf)"),
        ("application/json", b"\x1f\x8b\x08secret", b"(9 bytes of application/json)"),
        ("<b>", b"\n\x06secret", b"(8 bytes of data that is not text)"),
        ("text/plain", "\u20ac".encode() * 1000, "\u20ac".encode() * 1000),
    ],
)
def test_bodies_that_are_no_text_are_told_and_not_kept(
    server: Server, content_type: str, body: bytes, kept: bytes
) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}", "Content-Type": content_type}
    assert server.http.post("/ingest/deploys", content=body, headers=headers).status_code == 400
    [row] = refusals(server)
    assert row["body"] == kept[:2048]


def test_of_a_large_body_of_telemetry_the_end_that_is_kept_is_masked_too(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}", "Content-Type": "application/json"}
    begin = b'{"resourceSpans": 5, "x": "'
    url = b"postgres://user:s3cr3t-word@host/" + b"y" * 30_000 + b'"}'
    body = begin + b"x" * (2020 - len(begin)) + b" " + url
    assert server.http.post("/v1/traces", content=body, headers=headers).status_code == 400
    [row] = refusals(server)
    assert row["body"].startswith(begin)
    assert b"s3c" not in row["body"]


def test_of_a_compressed_body_the_text_is_kept(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}", "Content-Type": "application/json"}
    headers["Content-Encoding"] = "gzip"
    for path in ("/ingest/errors", "/v1/traces", "/ingest/deploys"):
        text = b'{"resourceSpans": 5, "git_sha": 7, "of": "' + path.encode() + b'"}'
        body = gzip.compress(text)
        assert server.http.post(path, content=body, headers=headers).status_code == 400
        assert refusals(server)[-1]["body"] == text
    cut = gzip.compress(text)[:20]
    assert server.http.post("/v1/traces", content=cut, headers=headers).status_code == 400


def test_of_a_large_body_that_is_no_text_the_size_is_told(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    headers["Content-Type"] = "application/x-protobuf"
    body = b"\x0a\xff\xff\xff\x7f" + b"x" * 99_995
    assert server.http.post("/v1/traces", content=body, headers=headers).status_code == 400
    [row] = refusals(server)
    assert row["body"] == b"(100,000 bytes of application/x-protobuf)"


MASK_LARGE_BODIES = """
from miniapm.domain.scrubbing import make_scrubber
mask = make_scrubber().scrub_text
for piece in ("a", "token", "://", "token=Bearer ", "'"):
    mask(piece * 50_000)
print("masked")
"""


def test_masking_grows_with_what_is_sent_and_no_faster() -> None:
    # a mask that looked ahead from every place would take hours for texts of this size
    done = subprocess.run(
        [sys.executable, "-c", MASK_LARGE_BODIES], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("masked\n", "")


def test_a_project_that_is_gone_keeps_nothing(server: Server) -> None:
    context = server.running.context
    refused = Refusal(1, 99, "/ingest/deploys", None, 404, "gone", {}, b"", server.clock())
    server.run(context.database.write(insert_refusal, refused))
    assert refusals(server) == []


def test_a_flood_of_fields_is_one_short_row(server: Server) -> None:
    commits = [{"sha": 5} for _ in range(1000)]
    answer = post(server, server.make_key(), json.dumps({"commits": commits}).encode())
    assert answer.status_code == 400
    [row] = refusals(server)
    assert len(row["message"]) < 200
