"""Grafana's annotations: what notifiers send becomes a deploy or is refused with the tag to add;
deploys are listed as annotations."""

from base64 import b64encode
from typing import Any

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.keys import READ
from miniapm.domain.receivers.grafana import MOST, MOST_TAGS
from miniapm.storage.deploys.rows import insert_many
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy

ANNOTATIONS, GRAPHITE = "/api/annotations", "/api/annotations/graphite"
SHA = "0cea60a4050b82f7d08ec6b20617fa6f8d0251d5"
MS = START // 1000


def post(server: Server, body: Any, path: str = ANNOTATIONS, **key: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {server.make_key('deploys:write', **key)}"}
    return server.http.post(path, json=body, headers=headers)


def find(server: Server, **query: Any) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {server.make_key(READ)}"}
    answer = server.http.get(ANNOTATIONS, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def test_tags_say_what_was_deployed(server: Server) -> None:
    tags = [
        *("deploy", "service:shop", "env:staging", "version:1.2.3", f"sha:{SHA}", "deployer:ann"),
        *("status:failed", "url:https://ci.example.com/1", "repository=https://x.example/a/b"),
        *("nightly", "team:sales"),
    ]
    body = {"time": MS - 60_000, "timeEnd": MS, "tags": tags, "text": "Hats\nfor all\nheads"}
    answer = post(server, body)
    [row] = server.rows("select * from deploys")
    assert (answer.status_code, answer.json()) == (
        200,
        {"message": "Annotation added", "id": row["id"]},
    )
    expected = {
        "service": "shop",
        "env": "staging",
        "version": "1.2.3",
        "git_sha": SHA,
        "deployer": "ann",
        "status": "failed",
        "url": "https://ci.example.com/1",
        "repository": "https://x.example/a/b",
        "title": "Hats",
        "description": "for all\nheads",
        "started_at": START - MINUTE,
        "deployed_at": START,
        "sources": "api",
    }
    assert {name: row[name] for name in expected} == expected
    tags_stored = server.rows("select tag from deploy_tags order by position")
    assert [tag["tag"] for tag in tags_stored] == ["deploy", "nightly", "team:sales"]


@pytest.mark.parametrize(
    ("text", "tags", "git_sha"),
    [
        # zeit.deploynotify, as captured
        ("shop 1.2.3", ["deployment"], "1.2.3"),
        ("Deployed shop v2", [], "v2"),
        ("Released 1.2.3-rc.1+7", [], "1.2.3-rc.1+7"),
        # Argo CD and AWX write texts of their own
        (f"Application shop runs {SHA}", ["argocd"], SHA),
        ("Sync of shop at b6826b8 succeeded", ["argocd"], "b6826b8"),
        (f"See https://github.com/acme/shop/commit/{SHA} (b6826b8)", [], SHA),
        ("done", ["release:7"], "7"),
        ("done", ["app:shop", "revision: b6826b8"], "b6826b8"),
        ("Deployed 1.2.3", ["sha:b6826b8"], "b6826b8"),
    ],
)
def test_what_names_the_revision(server: Server, text: str, tags: list[str], git_sha: str) -> None:
    assert post(server, {"text": text, "tags": tags}).status_code == 200
    assert server.rows("select git_sha from deploys") == [{"git_sha": git_sha}]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        # the callback of Ansible, as captured
        ("Started playbook pb.yml\n\nFrom 'host'\nBy user 'root'\n", ["ansible", "pb.yml"]),
        ("Playbook deploy.yml\nDuration: 0.113921\nStatus: OK\n", ["ansible_report"]),
        ("Deployed shop", ["deploy", "service:shop"]),
        ("Upgraded Ansible to 2.9.1", ["maintenance"]),
        ("Deployed 1.2.3, which was 1.2.2", ["deploy"]),
        ("Deployed to 10.0.0.1", ["deploy"]),
        ("Deployed on 2026-11-22 after 20261122 defaced facades", ["deploy"]),
        ("Request 0cea60a4-050b-82f7-d08e-c6b20617fa6f", ["deploy"]),
        (f"Pulled shop@sha256:{SHA}{SHA[:24]}", ["deploy"]),
        ("Deployed", ["version:"]),
    ],
)
def test_what_names_none_is_refused(server: Server, text: str, tags: list[str]) -> None:
    answer = post(server, {"text": text, "tags": tags})
    assert answer.status_code == 400
    assert "add a tag such as sha:abc1234 or version:1.2.3" in answer.json()["message"]
    assert server.rows("select id from deploys") == []
    [refusal] = server.rows("select route, status from refusals")
    assert refusal == {"route": ANNOTATIONS, "status": 400}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tags": ["version:1"]}, "text"),
        ({"text": 5, "tags": ["version:1"]}, "text"),
        ({"text": "x", "tags": ["version:1"], "time": "soon"}, "time"),
        ({"text": "x", "tags": ["version:1"], "time": MS, "timeEnd": MS - 1}, "time"),
        ({"text": "x", "tags": ["version:{{.app.version}}"]}, "version"),
        ({"text": "x", "tags": ["version:1", "status:fine"]}, "status"),
        ({"text": "x", "tags": ["version:1", f"env:{'e' * 101}"]}, "env"),
    ],
)
def test_bad_fields_are_named(server: Server, body: dict[str, Any], name: str) -> None:
    answer = post(server, body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{name} ")
    assert server.rows("select id from deploys") == []


def test_graphite(server: Server) -> None:
    # as captured
    body = {
        "what": "Event - deploy",
        "tags": ["deploy"],
        "when": 1_700_000_000,
        "data": "shop 1.2.3",
    }
    answer = post(server, body, GRAPHITE, service="shop", env="qa")
    [row] = server.rows("select * from deploys")
    assert (answer.status_code, answer.json()) == (
        200,
        {"message": "Graphite annotation added", "id": row["id"]},
    )
    assert (row["service"], row["env"], row["version"]) == ("shop", "qa", "1.2.3")
    assert (row["title"], row["deployed_at"]) == ("shop 1.2.3", 1_700_000_000_000_000)
    old = {"what": "deploy 1.2.4", "tags": "a b", "when": 1_700_009_000}
    assert post(server, old, GRAPHITE).status_code == 200
    tags = server.rows("select tag from deploy_tags order by deploy_id, position")
    assert [tag["tag"] for tag in tags] == ["deploy", "a", "b", "deploy"]


def test_sent_again_it_is_the_same(server: Server) -> None:
    body = {"text": "shop 1.2.3", "tags": ["deployment"]}
    first, again = post(server, body), post(server, body)
    assert again.json() == first.json()
    assert len(server.rows("select id from deploys")) == 1


def test_a_login_with_the_key_as_password(server: Server) -> None:
    login = b64encode(f"api_key:{server.make_key('deploys:write')}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    body = {"text": "shop 1.2.3", "tags": ["deployment"]}
    assert server.http.post(ANNOTATIONS, json=body, headers=headers).status_code == 200
    for wrong in ("Basic", "Basic !", "Basic YTpi"):
        refused = server.http.post(ANNOTATIONS, json=body, headers={"Authorization": wrong})
        assert refused.status_code == 401
    assert len(server.rows("select id from deploys")) == 1


def test_deploys_are_listed_as_annotations(server: Server) -> None:
    deploy = add_deploy(
        server,
        service="shop",
        version="v2",
        title="Hats",
        tags=("nightly",),
        deployer="ann",
        started_at=START,
        deployed_at=START + MINUTE,
    )
    assert find(server) == [
        {
            "id": deploy.id,
            "dashboardId": 0,
            "panelId": 0,
            "time": MS,
            "timeEnd": MS + 60_000,
            "created": deploy.recorded_at // 1000,
            "updated": deploy.updated_at // 1000,
            "text": "shop v2 to production: Hats",
            "tags": [
                *("deploy", "service:shop", "env:production", "version:v2"),
                *(f"sha:{deploy.git_sha}", "status:succeeded", "nightly"),
            ],
            "login": "ann",
            "data": {},
        }
    ]


def test_which_are_listed(server: Server) -> None:
    for hour, (service, env, tag) in enumerate(
        [("shop", "production", "a"), ("shop", "qa", "b"), ("blog", "production", "a")]
    ):
        add_deploy(server, service=service, env=env, tags=(tag,), deployed_at=START + hour * HOUR)
    add_deploy(server, service="gone", hidden_at=START)

    def texts(**query: Any) -> list[str]:
        return [f"{one['tags'][1]} {one['tags'][2]}" for one in find(server, **query)]

    first, second, third = (
        "service:shop env:production",
        "service:shop env:qa",
        "service:blog env:production",
    )
    hour = 3_600_000
    assert texts() == [third, second, first]
    assert texts(limit=1) == [third]
    assert texts(**{"from": MS + hour, "to": MS + hour}) == [second]
    assert texts(**{"from": MS + hour + 1}) == [third]
    assert texts(tags="service:shop") == [second, first]
    assert texts(tags=["service:shop", "env:qa"]) == [second]
    assert texts(tags=["deploy", "a"]) == [third, first]
    assert texts(tags=["deployment", "a", "service:blog"]) == [third]
    assert texts(tags=["b", "service:blog"], matchAny="true") == [third, second]
    assert texts(tags="nothing") == []
    assert texts(type="annotation") == [third, second, first]
    assert texts(type="alert") == []


def test_a_rare_tag_is_found_behind_many_others(server: Server) -> None:
    add_deploy(server, tags=("rare",), version="0.0.1", deployed_at=START)
    context = server.running.context
    project_id = server.rows("select id from projects")[0]["id"]
    newer = [
        factories.make_deploy(
            id=context.make_id(), project_id=project_id, deployed_at=START + MINUTE, git_sha=str(n)
        )
        for n in range(MOST + 1)
    ]
    server.run(context.database.write(insert_many, newer))
    for tag in ("rare", "version:0.0.1", "sha:" + f"{1:040x}"):
        [found] = find(server, tags=["deploy", tag])
        assert tag in found["tags"]
    assert len(find(server, tags=["rare", "deploy"], matchAny="true", limit=MOST)) == MOST
    assert find(server, tags=["rare", "version:0.0.2"]) == []
    assert len(find(server, tags=["rare", "version:0.0.2"], matchAny="true")) == 1


def test_a_tag_that_looks_like_a_field(server: Server) -> None:
    add_deploy(server, tags=("status:green", "a:b"))
    assert len(find(server, tags=["status:green", "status:succeeded", "a:b"])) == 1


def test_bad_queries_are_refused(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.make_key(READ)}"}
    for query in ("from=x", "to=-1", "limit=many", "tags=x&" * (MOST_TAGS + 1)):
        answer = server.http.get(f"{ANNOTATIONS}?{query}", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(query.partition("=")[0])


def test_only_its_own_project_is_listed(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_deploy(server, project="other")
    assert find(server) == []
    answer = server.http.get(ANNOTATIONS)
    assert (answer.status_code, list(answer.json())) == (401, ["message"])
