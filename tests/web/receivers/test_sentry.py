"""sentry-cli's calls as captured: what is stored, and that each gets the answer it insists on."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE, to_rfc3339
from miniapm.domain.deploys.payload import MAX_COMMITS
from tests import factories
from tests.conftest import Server

ORGANIZATION = "/api/0/organizations/acme/releases/"
PROJECT = "/api/0/projects/acme/shop/releases/"
CAPTURED = 1_795_296_600_000_000
FAMILIES = pytest.mark.parametrize("family", [ORGANIZATION, PROJECT])
HEADS = [
    "0cea60a4050b82f7d08ec6b20617fa6f8d0251d5",
    "0758fe48e4153afb755cb217dc322a89c9e4ad85",
    "25937be71204599408b1b9903883f6a53b18abf6",
]


class Sentry:
    """Calls with one key, as sentry-cli makes them."""

    def __init__(self, server: Server, **key: Any) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {server.make_key('deploys:write', **key)}"}

    def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return self.server.http.request(method, path, json=body, headers=self.headers)

    def release(self, version: str, family: str = ORGANIZATION, **fields: Any) -> httpx2.Response:
        return self.ask("POST", family, {"version": version, "projects": ["shop"], **fields})

    def change(self, version: str, **fields: Any) -> httpx2.Response:
        return self.ask("PUT", f"{ORGANIZATION}{version}/", fields)

    def deploy(self, version: str, family: str = ORGANIZATION, **fields: Any) -> httpx2.Response:
        body = {"environment": "production", "name": None, "url": None, "dateStarted": None}
        return self.ask("POST", f"{family}{version}/deploys/", {**body, **fields})


@pytest.fixture
def captured_server(server: Server) -> Server:
    """A server at the time when the calls were captured."""
    server.clock.move(CAPTURED - server.clock())
    return server


@pytest.fixture
def sentry(captured_server: Server) -> Sentry:
    return Sentry(captured_server)


def make_commits(*shas: str) -> list[dict[str, Any]]:
    return [
        {
            "patch_set": [{"path": "f3", "type": "A"}],
            "repository": "origin",
            "author_name": "Dev One",
            "author_email": "dev@example.com",
            "timestamp": "2026-11-21T21:25:48Z",
            "message": f"change {sha[:4]}\n",
            "id": sha,
        }
        for sha in shas
    ]


@FAMILIES
def test_a_release_is_stored_and_answered(sentry: Sentry, family: str) -> None:
    answer = sentry.release("1.2.3", family, dateStarted="2026-11-21T21:27:12.388574845Z")
    now = sentry.server.clock()
    assert answer.status_code == 201
    body = answer.json()
    assert (body["version"], body["dateCreated"]) == ("1.2.3", to_rfc3339(now))
    again = sentry.release("1.2.3", family)
    assert (again.status_code, again.json()) == (201, body)
    assert sentry.server.rows("select * from foreign_releases") == [
        {
            "project_id": sentry.server.rows("select id from projects")[0]["id"],
            "version": "1.2.3",
            "projects": '["shop"]',
            "head": None,
            "url": None,
            "created_at": now,
            "released_at": None,
        }
    ]
    assert sentry.server.rows("select id from deploys") == []


@FAMILIES
def test_a_release_is_finalized(sentry: Sentry, family: str) -> None:
    sentry.release("1.2.3")
    body = {"projects": ["shop"], "dateReleased": "2026-11-21T21:25:49.449712070Z"}
    answer = sentry.ask("PUT", f"{family}1.2.3/", body)
    assert answer.status_code == 200
    assert answer.json()["dateReleased"] == "2026-11-21T21:25:49.449712Z"
    [row] = sentry.server.rows("select released_at from foreign_releases")
    assert row == {"released_at": 1_795_296_349_449_712}


def test_commits_are_stored_and_replaced(sentry: Sentry) -> None:
    sentry.release("1.2.3")
    answer = sentry.change("1.2.3", commits=make_commits(*HEADS))
    assert (answer.status_code, answer.json()["lastCommit"]["id"]) == (200, HEADS[0])
    sentry.change("1.2.3", commits=make_commits(*HEADS[:2]))
    rows = sentry.server.rows("select * from foreign_release_commits order by position")
    assert [row["sha"] for row in rows] == HEADS[:2]
    assert {row["author"] for row in rows} == {"Dev One"}
    assert (rows[0]["message"], rows[0]["committed_at"]) == ("change 0cea", 1_795_296_348_000_000)
    assert sentry.server.rows("select head from foreign_releases") == [{"head": HEADS[0]}]


def test_refs_name_the_head(sentry: Sentry) -> None:
    refs = [{"repository": "acme/shop", "commit": HEADS[0], "previousCommit": None}]
    assert sentry.change("1.2.3", refs=refs).status_code == 200
    assert sentry.server.rows("select head from foreign_releases") == [{"head": HEADS[0]}]


def test_more_commits_than_a_release_keeps(sentry: Sentry) -> None:
    shas = [f"{number:040x}" for number in range(MAX_COMMITS + 500)]
    commits = make_commits(*shas)
    commits[0]["patch_set"] = [{"path": "x" * 1000, "type": "M"}] * 1500
    assert sentry.change("1.2.3", commits=commits).status_code == 200
    sentry.deploy("1.2.3")
    [count] = sentry.server.rows("select count(*) n, min(sha) first from deploy_commits")
    assert count == {"n": MAX_COMMITS, "first": shas[0]}


@FAMILIES
def test_a_deploy_is_stored(sentry: Sentry, family: str) -> None:
    sentry.release("1.2.3", url="https://ci.example.com/9")
    sentry.change("1.2.3", commits=make_commits(*HEADS))
    answer = sentry.deploy(
        "1.2.3",
        family,
        name="nightly",
        url="https://ci.example.com/1",
        dateStarted="2026-11-21T21:25:07.854985579Z",
        dateFinished="2026-11-21T21:25:49.854985579Z",
    )
    [row] = sentry.server.rows("select * from deploys")
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(row["id"]),
        "environment": "production",
        "name": "nightly",
        "url": "https://ci.example.com/1",
        "dateStarted": "2026-11-21T21:25:07.854985Z",
        "dateFinished": "2026-11-21T21:25:49.854985Z",
    }
    assert answer.headers["location"] == f"/p/default/deploys/{row['id']}"
    expected = {
        "git_sha": HEADS[0],
        "version": "1.2.3",
        "service": "shop",
        "env": "production",
        "status": "succeeded",
        "sources": "api",
        "title": "nightly",
        "started_at": 1_795_296_307_854_985,
        "deployed_at": 1_795_296_349_854_985,
    }
    assert {name: row[name] for name in expected} == expected
    commits = sentry.server.rows("select sha from deploy_commits order by position")
    assert [commit["sha"] for commit in commits] == HEADS
    listed = sentry.ask("GET", f"{family}1.2.3/deploys/")
    assert (listed.status_code, listed.json()) == (200, [answer.json()])


def test_a_deploy_of_nothing_known(sentry: Sentry) -> None:
    """Where no commit is told, the version stands for it; a sha is one by itself."""
    assert sentry.deploy("1.2.3").status_code == 201
    assert sentry.deploy(HEADS[0]).status_code == 201
    rows = sentry.server.rows("select git_sha, version, service from deploys order by id")
    assert rows == [
        {"git_sha": version, "version": version, "service": "default"}
        for version in ("1.2.3", HEADS[0])
    ]
    assert len(sentry.server.rows("select version from foreign_releases")) == 2


def test_a_deploy_sent_again_is_the_same(sentry: Sentry) -> None:
    finish = "2026-11-21T21:27:12.619891772Z"
    first = sentry.deploy("1.2.3", dateFinished=finish)
    again = sentry.deploy("1.2.3", dateFinished=finish)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(sentry.server.rows("select id from deploys")) == 1


@pytest.mark.parametrize(
    ("key", "projects", "service"),
    [
        ({"service": "api"}, ["shop"], "api"),
        ({}, ["shop"], "shop"),
        ({}, ["shop", "blog"], "default"),
        ({}, [], "default"),
        ({}, [17], "default"),
    ],
)
def test_the_service(
    captured_server: Server, key: dict[str, str], projects: list[Any], service: str
) -> None:
    sentry = Sentry(captured_server, env="qa", **key)
    sentry.release("1.2.3", projects=projects)
    assert sentry.deploy("1.2.3", environment=None).status_code == 201
    [row] = captured_server.rows("select service, env from deploys")
    assert row == {"service": service, "env": "qa"}


def test_commits_told_after_the_deploy_reach_it(sentry: Sentry) -> None:
    sentry.deploy("1.2.3")
    [before] = sentry.server.rows("select updated_at from deploys")
    sentry.server.clock.move(MINUTE)
    sentry.change("1.2.3", commits=make_commits(*HEADS))
    [row] = sentry.server.rows("select git_sha, updated_at from deploys")
    assert row["git_sha"] == HEADS[0]
    assert row["updated_at"] > before["updated_at"]
    assert len(sentry.server.rows("select sha from deploy_commits")) == 3


def test_what_a_person_corrected_stays(sentry: Sentry) -> None:
    sentry.deploy("1.2.3")
    [deploy] = sentry.server.rows("select id from deploys")
    admin = {"Authorization": f"Bearer {sentry.server.make_key('deploys:admin')}"}
    path = f"/api/v1/deploys/{deploy['id']}"
    sentry.server.http.patch(path, json={"git_sha": "feedface1"}, headers=admin)
    sentry.change("1.2.3", commits=make_commits(*HEADS))
    assert sentry.server.rows("select git_sha from deploys") == [{"git_sha": "feedface1"}]


def test_an_environment_gets_what_came_since_its_own_release(sentry: Sentry) -> None:
    for version, sha in zip(("1", "2", "3"), reversed(HEADS), strict=True):
        sentry.release(version)
        sentry.change(version, commits=make_commits(sha))
        sentry.server.clock.move(HOUR)
        sentry.deploy(version, environment="staging")
        sentry.server.clock.move(HOUR)
        if version != "2":
            sentry.deploy(version, environment="production")
        sentry.server.clock.move(HOUR)
    sentry.deploy("1", environment="production")
    brought = sentry.server.rows(
        """select d.env, d.version, c.sha from deploys d
        left join deploy_commits c on c.deploy_id = d.id order by d.id, c.position"""
    )
    third, second, first = HEADS
    assert [(row["env"], row["version"], row["sha"]) for row in brought] == [
        ("staging", "1", first),
        ("production", "1", first),
        ("staging", "2", second),
        ("staging", "3", third),
        ("production", "3", third),
        ("production", "3", second),
        ("production", "1", None),
    ]


@FAMILIES
def test_what_it_asks(sentry: Sentry, family: str) -> None:
    base = family.removesuffix("releases/")
    assert sentry.ask("GET", f"{base}repos/?cursor=").json() == []
    previous = f"{family}2/previous-with-commits/"
    assert (sentry.ask("GET", previous).status_code, sentry.ask("GET", previous).json()) == (
        200,
        {},
    )
    sentry.release("1")
    sentry.change("1", commits=make_commits(*HEADS))
    sentry.server.clock.move(HOUR)
    sentry.release("2")
    assert sentry.ask("GET", previous).json()["lastCommit"] == {
        "id": HEADS[0],
        "message": "change 0cea",
        "dateCreated": "2026-11-21T21:25:48Z",
        "author": {"name": "Dev One"},
    }
    assert sentry.ask("GET", f"{family}1/previous-with-commits/").json() == {}
    listed = sentry.ask("GET", family).json()
    assert [release["version"] for release in listed] == ["2", "1"]
    assert sentry.ask("GET", f"{family}1/").json()["commitCount"] == 3
    assert len(sentry.ask("GET", f"{family}1/commits/").json()) == 3
    assert sentry.ask("GET", "/api/0/").json()["auth"] == {"scopes": ["deploys:write"]}


def test_a_release_is_deleted_and_its_deploys_stay(sentry: Sentry) -> None:
    sentry.release("1.2.3")
    sentry.deploy("1.2.3")
    answer = sentry.ask("DELETE", f"{ORGANIZATION}1.2.3/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert sentry.server.rows("select version from foreign_releases") == []
    assert len(sentry.server.rows("select id from deploys")) == 1
    for method in ("GET", "DELETE"):
        gone = sentry.ask(method, f"{ORGANIZATION}1.2.3/")
        assert (gone.status_code, gone.json()) == (404, {"detail": "There is no release 1.2.3."})


def test_another_project_has_releases_of_its_own(sentry: Sentry) -> None:
    server = sentry.server
    server.run(factories.insert_project(server.running.context, "other"))
    other = Sentry(server, project="other")
    sentry.release("1.2.3")
    assert other.ask("GET", f"{ORGANIZATION}1.2.3/").status_code == 404
    assert other.ask("GET", ORGANIZATION).json() == []
    other.deploy("1.2.3")
    assert sentry.ask("GET", f"{ORGANIZATION}1.2.3/deploys/").json() == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"version": "$SENTRY_RELEASE"}, "version"),
        ({"version": None}, "version"),
        ({"version": "a\nb"}, "version"),
        ({"version": "a/b"}, "version"),
        ({"version": "x" * 201}, "version"),
        ({"version": 5}, "version"),
        ({"dateReleased": "yesterday"}, "dateReleased"),
        ({"commits": [{"id": "zz"}]}, "commits[0].id"),
        ({"commits": ["a"]}, "commits[0]"),
        ({"commits": {}}, "commits"),
        ({"refs": 7}, "refs"),
    ],
)
def test_bad_releases_are_refused(sentry: Sentry, fields: dict[str, Any], named: str) -> None:
    answer = sentry.ask("POST", ORGANIZATION, {"version": "1", "projects": ["shop"], **fields})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{named} ")
    assert sentry.server.rows("select version from foreign_releases") == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"environment": "${ENV}"}, "environment"),
        ({"environment": 5}, "environment"),
        ({"dateFinished": "1999-01-01T00:00:00Z"}, "dateFinished"),
        ({"dateStarted": "2030-01-01T00:00:00Z"}, "dateStarted"),
        ({"url": "ftp://x"}, "url"),
    ],
)
def test_bad_deploys_are_refused(sentry: Sentry, fields: dict[str, Any], named: str) -> None:
    answer = sentry.deploy("1.2.3", **fields)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{named} ")
    for table in ("deploys", "foreign_releases"):
        assert sentry.server.rows(f"select * from {table}") == []


def test_a_method_that_it_does_not_take(sentry: Sentry) -> None:
    answer = sentry.ask("PATCH", f"{ORGANIZATION}1/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert list(answer.json()) == ["detail"]
