"""CDEvents in CloudEvents: binary, structured, bare."""

import base64
import json
from typing import Any

import pytest

from tests.conftest import Server
from tests.web.receivers.hooks import deploys, make_hook, recorded

DIGEST = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
TYPE = "dev.cdevents.service.deployed.0.2.0"


def event(**changes: Any) -> dict[str, Any]:
    return recorded("cdevents/service.deployed", **changes)


def structured(data: Any, **fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "one", "source": "/ci", "type": TYPE,
        "datacontenttype": "application/json", "data": data, **fields,
    }  # fmt: skip


def test_three_ways_to_say_it(server: Server) -> None:
    hook = make_hook(server, "cdevents")
    structured_type = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    assert hook.send(event(), TYPE, delivery="binary").status_code == 202
    assert hook.send(structured(event()), headers=structured_type).status_code == 202
    packed = base64.b64encode(json.dumps(event()).encode()).decode()
    more = structured(None, id="two", data_base64=packed)
    assert hook.send(more, headers=structured_type).status_code == 202
    assert hook.send(event(context__id="bare")).status_code == 202
    assert {row["external_id"] for row in server.rows("select external_id from deploy_ids")} == {
        "binary /ci", "one /ci", "two /ci", "bare /event/source/123",
    }  # fmt: skip
    assert deploys(server) == [(DIGEST, "staging", "succeeded")] * 4
    [row, *_] = server.rows("select service, version, deployed_at from deploys")
    assert row == {"service": "shop", "version": DIGEST, "deployed_at": 1679322425315384}


@pytest.mark.parametrize("word", ["upgraded", "rolledback"])
def test_other_ways_to_go_live(server: Server, word: str) -> None:
    hook = make_hook(server, "cdevents")
    assert hook.send(event(), f"dev.cdevents.service.{word}.0.3.0-draft").status_code == 202
    assert len(deploys(server)) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "dev.cdevents.service.published.0.2.0",
        "dev.cdevents.environment.created.0.2.0",
        "dev.cdevents.service",
        "com.example.deployed",
        "deployed",
    ],
)
def test_other_events(server: Server, kind: str) -> None:
    hook = make_hook(server, "cdevents")
    assert hook.send(event(), kind).status_code == 200
    assert deploys(server) == []


@pytest.mark.parametrize(
    ("changes", "git_sha", "version"),
    [
        ({"customData": {"git_sha": "c0ffee01"}}, "c0ffee01", DIGEST),
        (
            {
                "artifact": "pkg:generic/shop@1.2.3?vcs_url=git%2Bhttps://example.com/shop%40c0ffee012"
            },
            "c0ffee012",
            "1.2.3",
        ),
        ({"artifact": "pkg:oci/shop@1.2.3?tag=latest"}, "1.2.3", "1.2.3"),
    ],
)
def test_what_names_the_revision(
    server: Server, changes: dict[str, Any], git_sha: str, version: str
) -> None:
    hook = make_hook(server, "cdevents")
    artifact = changes.pop("artifact", None)
    sent = event(**changes) if artifact is None else event(subject__content__artifactId=artifact)
    assert hook.send(sent, TYPE).status_code == 202
    assert deploys(server, "git_sha, version") == [(git_sha, version)]


@pytest.mark.parametrize("artifact", ["pkg:oci/shop", "shop:1.2.3", ""])
def test_an_artifact_without_a_version(server: Server, artifact: str) -> None:
    hook = make_hook(server, "cdevents")
    answer = hook.send(event(subject__content__artifactId=artifact), TYPE)
    assert answer.status_code == 400
    assert "customData.git_sha" in answer.json()["fields"]["subject.content.artifactId"]
    assert deploys(server) == []


def test_an_event_is_one_by_its_id_and_source(server: Server) -> None:
    hook = make_hook(server, "cdevents")
    first = hook.send(structured(event()))
    again = hook.send(structured(event(), extension="sent again"))
    server.clock.move(1)
    elsewhere = event(
        subject__content__environment__id="production",
        context__timestamp="2023-03-20T15:00:00Z",
    )
    other = hook.send(structured(elsewhere, source="/other"))
    assert first.content == again.content
    assert other.status_code == 202
    assert len(server.rows("select * from receiver_deliveries")) == 2
    # another source's events are others, though it counts alike
    assert sorted(row[1] for row in deploys(server)) == ["production", "staging"]


def test_what_is_no_event(server: Server) -> None:
    hook = make_hook(server, "cdevents")
    assert hook.send({"subject": {}}).json()["fields"] == {"ce-type": "is missing"}
    answer = hook.send({"specversion": "1.0"})
    assert set(answer.json()["fields"]) == {"id", "source", "type"}
    assert hook.send(structured(None, data_base64="%%")).status_code == 400
    assert hook.send(structured("text")).status_code == 400
    assert server.rows("select * from deploys") == []
