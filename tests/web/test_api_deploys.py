"""`/api/v1/deploys`: the answers, the rows behind them, and who may."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE, SECOND, to_rfc3339
from miniapm.domain.keys import DEPLOYS_ADMIN, DEPLOYS_WRITE, READ
from tests import factories
from tests.conftest import Server
from tests.factories import START

FIELDS = [
    "id",
    "external_id",
    "project",
    "service",
    "env",
    "git_sha",
    "version",
    "deployer",
    "title",
    "description",
    "tags",
    "url",
    "repository",
    "status",
    "timestamp",
    "started_at",
    "recorded_at",
    "kind",
    "kind_reason",
    "previous_id",
    "sources",
    "first_seen_at",
    "hidden_at",
    "overruled",
    "is_left_out",
    "verdict",
    "page",
]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def record(server: Server, key: str, **fields: Any) -> str:
    """Posts a deploy; its id."""
    fields.setdefault("git_sha", "abc1234def")
    answer = server.http.post("/ingest/deploys", json=fields, headers=bearer(key))
    assert answer.status_code == 202, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


def record_many(server: Server, key: str, count: int) -> list[str]:
    """Deploys a minute apart, oldest first, the newest at START."""
    return [
        record(
            server,
            key,
            git_sha=f"{i:07x}a",
            timestamp=to_rfc3339(START - (count - i) * MINUTE),
        )
        for i in range(count)
    ]


def get(server: Server, key: str, path: str = "", **query: Any) -> httpx2.Response:
    return server.http.get(f"/api/v1/deploys{path}", params=query, headers=bearer(key))


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_a_deploy_has_exactly_the_fields_of_the_contract(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(
        server,
        key,
        id="run-7",
        git_sha="abc1234def",
        version="v1",
        deployer="ann",
        description="more",
        tags="a, b",
        url="https://ci.example.com/7",
        repository="git@example.com:shop.git",
        timestamp="2025-10-09T10:00:00.25+02:00",
        started_at="2025-10-09T07:59:00Z",
        commits=[
            {
                "sha": "abc1234def",
                "timestamp": "2025-10-09T07:00:00Z",
                "message": "Fix the cart\n\nIt was broken.",
                "author": "Ann",
            }
        ],
    )
    answer = get(server, key)
    [item] = answer.json()["items"]
    assert list(item) == FIELDS
    assert item == {
        "id": deploy_id,
        "external_id": "run-7",
        "project": "default",
        "service": "default",
        "env": "production",
        "git_sha": "abc1234def",
        "version": "v1",
        "deployer": "ann",
        "title": "Fix the cart",
        "description": "more",
        "tags": ["a", "b"],
        "url": "https://ci.example.com/7",
        "repository": "git@example.com:shop.git",
        "status": "succeeded",
        "timestamp": "2025-10-09T08:00:00.250000Z",
        "started_at": "2025-10-09T07:59:00Z",
        "recorded_at": to_rfc3339(server.clock()),
        "kind": "first",
        "kind_reason": "Nothing was live in production before.",
        "previous_id": None,
        "sources": ["api"],
        "first_seen_at": None,
        "hidden_at": None,
        "overruled": None,
        "is_left_out": False,
        "verdict": None,
        "page": f"{server.url}/p/default/deploys/{deploy_id}",
    }
    assert answer.json()["next_cursor"] is None
    alone = get(server, key, f"/{deploy_id}").json()
    assert alone.pop("commits") == [
        {
            "sha": "abc1234def",
            "timestamp": "2025-10-09T07:00:00Z",
            "message": "Fix the cart\n\nIt was broken.",
            "author": "Ann",
            "approximate": False,
        }
    ]
    assert alone == item


def test_a_given_title_wins_and_another_commits_message_is_no_title(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    commits = [{"sha": "ffff999", "timestamp": "2025-10-09T07:00:00Z", "message": "Not the head"}]
    untitled = record(server, key, git_sha="aaaaaaa1", commits=commits)
    commits[0] |= {"sha": "bbbbbbb2c3d4", "message": "The head"}
    by_short_sha = record(server, key, git_sha="bbbbbbb2", commits=commits)
    titled = record(server, key, git_sha="bbbbbbb2c3d4", title="Mine", commits=commits)
    titles = {item["id"]: item["title"] for item in get(server, key).json()["items"]}
    assert titles == {untitled: None, by_short_sha: "The head", titled: "Mine"}


def test_pages_neither_repeat_nor_miss_while_others_arrive(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    known = record_many(server, key, 7)
    # two at one instant: the id decides
    known.append(record(server, key, git_sha="fffffff1", timestamp=to_rfc3339(START - MINUTE)))
    seen: list[str] = []
    cursor = ""
    for page in range(10):
        answer = get(server, key, limit=3, cursor=cursor)
        seen += ids(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        record(server, key, git_sha=f"eeeeee{page}", timestamp=to_rfc3339(START + page * SECOND))
    assert page == 2
    assert len(seen) == len(set(seen)) == 8
    assert set(seen) == set(known)
    assert seen[2:] == sorted(known[:6], key=known.index, reverse=True)


def test_a_page_that_is_exactly_full_is_the_last(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    record_many(server, key, 3)
    assert get(server, key, limit=3).json()["next_cursor"] is None
    assert get(server, key, limit=2).json()["next_cursor"] is not None


def test_filters(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    at = {n: to_rfc3339(START - n * HOUR) for n in range(4)}
    a = record(server, key, git_sha="aaaaaaa1", version="v1", timestamp=at[3], tags="hotfix")
    b = record(server, key, git_sha="bbbbbbb2", env="staging", timestamp=at[2], deployer="Ann_1")
    c = record(server, key, git_sha="ccccccc3", service="cart", timestamp=at[1], status="failed")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [c, b, a]),
        ({"env": "staging"}, [b]),
        ({"service": "cart"}, [c]),
        ({"tag": "hotfix"}, [a]),
        ({"tag": "hot"}, []),
        ({"status": "failed"}, [c]),
        ({"q": "ann_"}, [b]),
        ({"q": "V1"}, [a]),
        ({"q": "%"}, []),
        ({"since": at[2]}, [c, b]),
        ({"until": at[2]}, [a]),
        ({"since": at[3], "until": at[1], "env": "production"}, [a]),
        ({"since": str((START - 2 * HOUR) // SECOND)}, [c, b]),
        ({"since": "2025-10-09", "until": "2025-10-10"}, [c, b, a]),
        ({"env": "", "status": "", "limit": ""}, [c, b, a]),
        ({"project": "default"}, [c, b, a]),
        ({"hidden": "1"}, []),
        ({"hidden": "0"}, [c, b, a]),
        ({"limit": "500"}, [c, b, a]),
        ({"env": "null"}, []),
    ]
    for query, expected in cases:
        assert ids(get(server, key, **query)) == expected, query


def test_every_bad_parameter_is_named_at_once(server: Server) -> None:
    key = server.make_key(READ)
    answer = server.http.get(
        "/api/v1/deploys?limit=0&cursor=x&since=now&until=2024-13-01&status=done&hidden=yes"
        f"&enviroment=a&tag=a&tag=b&q={'_' * 201}&env={'e' * 101}",
        headers=bearer(key),
    )
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "invalid"
    named = {"limit", "cursor", "since", "until", "status", "hidden", "enviroment", "tag", "q"}
    assert set(body["fields"]) == {*named, "env"}
    assert body["fields"]["limit"] == "must be a whole number from 1 to 500"
    assert body["fields"]["tag"] == "is given twice"
    assert body["fields"]["env"] == "must be at most 100 characters"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1.5", "many", "null"])
def test_a_bad_limit_is_named(server: Server, limit: str) -> None:
    answer = get(server, server.make_key(READ), limit=limit)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["limit"]


def test_null_is_no_way_to_ask_for_everything(server: Server) -> None:
    answer = get(server, server.make_key(READ), status="null")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["status"]


def test_a_misspelt_parameter_is_answered_with_the_right_one(server: Server) -> None:
    answer = get(server, server.make_key(READ), servise="cart")
    assert answer.status_code == 400
    assert answer.json()["fields"]["servise"].endswith("did you mean service")


def test_a_key_may_name_its_own_project_alone(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    key = server.make_key(READ)
    assert get(server, key, project="default").status_code == 200
    for project in ("other", "nowhere"):
        answer = get(server, key, project=project)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_a_browser_names_its_project_where_it_has_several(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    deploy_id = record(server, server.make_key(DEPLOYS_WRITE))
    one = server.sign_in("viewer")
    several = server.sign_in("admin")
    nowhere = server.sign_in("viewer", projects=())
    assert ids(one.get("/api/v1/deploys")) == [deploy_id]
    answer = several.get("/api/v1/deploys", params={"limit": "x"})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"limit", "project"}
    assert ids(several.get("/api/v1/deploys", params={"project": "default"})) == [deploy_id]
    assert ids(several.get("/api/v1/deploys", params={"project": "other"})) == []
    assert one.get("/api/v1/deploys", params={"project": "other"}).status_code == 404
    assert several.get("/api/v1/deploys", params={"project": "nowhere"}).status_code == 404
    assert list(nowhere.get("/api/v1/deploys").json()["fields"]) == ["project"]


def test_another_projects_deploy_is_not_found_by_any_way(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    deploy_id = record(server, server.make_key(DEPLOYS_WRITE))
    stranger = server.make_key(READ, DEPLOYS_WRITE, DEPLOYS_ADMIN, project="other")
    outsider = server.sign_in("member", projects=("other",))
    admin = server.sign_in("admin")
    ways = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/restore"), ("GET", "/changes")]
    for method, rest in [*ways, ("POST", "/undo")]:
        path = f"/api/v1/deploys/{deploy_id}{rest}"
        body = {"change": "7"} if rest == "/undo" else {"title": "theirs"}
        by_key = server.http.request(method, path, json=body, headers=bearer(stranger))
        by_browser = outsider.request(method, path, json=body)
        assert (by_key.status_code, by_browser.status_code) == (404, 404), (method, rest)
        unknown = outsider.request(method, f"/api/v1/deploys/{int(deploy_id) + 1}{rest}", json=body)
        assert unknown.json() == by_browser.json()
        elsewhere = admin.request(method, path, json=body, params={"project": "other"})
        assert elsewhere.status_code == 404, (method, rest)
    assert server.rows("select title, hidden_at from deploys") == [
        {"title": None, "hidden_at": None}
    ]
    assert server.rows("select * from deploy_changes") == []


@pytest.mark.parametrize(
    "rubbish", ["0", "-1", "x", "1.0", "9" * 30, "%00", "%F0%9F%9A%80", "9223372036854775808"]
)
def test_rubbish_for_an_id_is_not_found(server: Server, rubbish: str) -> None:
    answer = get(server, server.make_key(READ), f"/{rubbish}")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_key_patches_what_it_recorded_and_nothing_else(server: Server) -> None:
    key, other, admin = (
        server.make_key(DEPLOYS_WRITE),
        server.make_key(DEPLOYS_WRITE),
        server.make_key(DEPLOYS_ADMIN),
    )
    deploy_id = record(server, key)
    path = f"/api/v1/deploys/{deploy_id}"
    answer = server.http.patch(path, json={"title": "mine", "tags": ["a"]}, headers=bearer(key))
    assert answer.status_code == 200
    assert answer.json() == get(server, key, f"/{deploy_id}").json()
    assert (answer.json()["title"], answer.json()["tags"]) == ("mine", ["a"])
    refused = server.http.patch(path, json={"title": "theirs"}, headers=bearer(other))
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert server.rows("select title from deploys") == [{"title": "mine"}]
    assert server.http.patch(path, json={"title": "x"}, headers=bearer(admin)).status_code == 200
    assert server.rows("select title from deploys") == [{"title": "x"}]
    [first, second] = server.rows("select actor, after from deploy_changes order by id")
    assert first == {"actor": "key test", "after": '{"tags":["a"],"title":"mine"}'}
    assert second["after"] == '{"title":"x"}'


@pytest.mark.parametrize(
    ("method", "rest"), [("DELETE", ""), ("POST", "/restore"), ("POST", "/undo")]
)
def test_hiding_and_bringing_back_take_more_than_recording(
    server: Server, method: str, rest: str
) -> None:
    key = server.make_key(DEPLOYS_WRITE, READ)
    deploy_id = record(server, key)
    answer = server.http.request(
        method, f"/api/v1/deploys/{deploy_id}{rest}", json={"change": "1"}, headers=bearer(key)
    )
    assert answer.status_code == 403
    assert server.rows("select hidden_at from deploys") == [{"hidden_at": None}]


def test_a_viewer_reads_and_a_member_corrects(server: Server) -> None:
    deploy_id = record(server, server.make_key(DEPLOYS_WRITE))
    path = f"/api/v1/deploys/{deploy_id}"
    viewer, member = server.sign_in("viewer"), server.sign_in("member")
    assert viewer.get(path).status_code == 200
    assert viewer.get(f"{path}/changes").status_code == 200
    for method, rest in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore"), ("POST", "/undo")):
        assert viewer.request(method, f"{path}{rest}", json={}).status_code == 403
    assert server.rows("select * from deploy_changes") == []
    assert member.patch(path, json={"deployer": "ann"}).status_code == 200
    assert server.rows("select deployer from deploys") == [{"deployer": "ann"}]


def test_another_sites_page_changes_nothing(server: Server) -> None:
    deploy_id = record(server, server.make_key(DEPLOYS_WRITE))
    member = server.sign_in("member")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = member.delete(f"/api/v1/deploys/{deploy_id}", headers=headers)
        assert answer.status_code == 403
    assert server.rows("select hidden_at from deploys") == [{"hidden_at": None}]


def test_hide_restore_undo_and_the_trail_of_it(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    record(server, key, git_sha="aaaaaaa1", timestamp=to_rfc3339(START - HOUR))
    middle = record(server, key, git_sha="bbbbbbb2", timestamp=to_rfc3339(START - MINUTE))
    newest = record(server, key, git_sha="ccccccc3")
    member = server.sign_in("member")
    path = f"/api/v1/deploys/{middle}"
    assert get(server, key, f"/{newest}").json()["previous_id"] == middle
    hidden = member.delete(path)
    assert (hidden.status_code, hidden.content) == (204, b"")
    assert member.delete(path).status_code == 204
    assert middle not in ids(get(server, key))
    assert ids(get(server, key, hidden="1")) == [middle]
    assert member.get(path).json()["hidden_at"] == to_rfc3339(server.clock())
    assert get(server, key, f"/{newest}").json()["previous_id"] != middle
    restored = member.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["hidden_at"]) == (200, None)
    assert middle in ids(get(server, key))
    member.patch(path, json={"deployed_at": to_rfc3339(START - 2 * MINUTE), "title": "x"})
    changes = get(server, key, f"/{middle}/changes").json()
    assert changes["next_cursor"] is None
    edit, unhiding, hiding = changes["items"]
    assert edit["before"] == {"timestamp": to_rfc3339(START - MINUTE), "title": None}
    assert edit["after"] == {"timestamp": to_rfc3339(START - 2 * MINUTE), "title": "x"}
    assert unhiding["after"] == hiding["before"] == {"hidden_at": None}
    assert edit["actor"].startswith("member-")
    assert (edit["deploy_id"], edit["changed_at"]) == (middle, to_rfc3339(server.clock()))
    undone = member.post(f"{path}/undo", json={"change": edit["id"]})
    assert undone.status_code == 200
    assert (undone.json()["title"], undone.json()["timestamp"]) == (
        None,
        to_rfc3339(START - MINUTE),
    )
    assert len(get(server, key, f"/{middle}/changes").json()["items"]) == 4


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["change"]),
        ({"change": 7}, ["change"]),
        ({"change": "7", "more": 1}, ["more"]),
        ({"change_id": "7"}, ["change_id", "change"]),
        ({"change": "x"}, ["change"]),
        ({"change": "7"}, None),
        ({"change": "9" * 19}, None),
    ],
)
def test_an_undo_of_nothing(server: Server, body: dict[str, Any], fields: list[str] | None) -> None:
    deploy_id = record(server, server.make_key(DEPLOYS_WRITE))
    answer = server.sign_in("member").post(f"/api/v1/deploys/{deploy_id}/undo", json=body)
    assert answer.status_code == (404 if fields is None else 400)
    assert fields is None or list(answer.json()["fields"]) == fields
    assert server.rows("select * from deploy_changes") == []


def test_an_empty_patch_changes_nothing(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(server, key, title="kept")
    [before] = server.rows("select * from deploys")
    answer = server.http.patch(f"/api/v1/deploys/{deploy_id}", content="{}", headers=bearer(key))
    assert (answer.status_code, answer.json()["title"]) == (200, "kept")
    assert server.rows("select * from deploys") == [before]
    assert server.rows("select * from deploy_changes") == []


def test_a_bad_patch_names_every_field_and_stores_nothing(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(server, key, title="kept")
    answer = server.http.patch(
        f"/api/v1/deploys/{deploy_id}",
        json={"title": "new", "env": None, "url": "ftp://x", "kind": "rollback", "status": "done"},
        headers=bearer(key),
    )
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"env", "url", "kind", "status"}
    assert server.rows("select title from deploys") == [{"title": "kept"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"title": NaN}',
        b'{"title": "a", "title": "b"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"title": "\\ud800"}',
        b'{"\\ud800": "a"}',
        b'{"tags": ["\\ud800"]}',
        b'{"title": "\\u0000"}',
        b'{"timestamp": 1e999}',
        b'{"timestamp": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_doubtful_is_refused(server: Server, body: bytes) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(server, key, title="kept")
    path = f"/api/v1/deploys/{deploy_id}"
    answer = server.http.patch(path, content=body, headers=bearer(key))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert server.rows("select title from deploys") == [{"title": "kept"}]


def test_a_large_body_is_refused(server: Server) -> None:
    key = server.make_key(DEPLOYS_ADMIN, DEPLOYS_WRITE)
    path = f"/api/v1/deploys/{record(server, key)}"
    limit = server.running.context.config.limits.deploy_body_bytes
    body = b'{"description": "' + b"x" * limit + b'"}'
    for method, address in (("PATCH", path), ("POST", f"{path}/undo")):
        answer = server.http.request(method, address, content=body, headers=bearer(key))
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    chunked = server.http.patch(path, content=iter([body]), headers=bearer(key))
    assert chunked.status_code == 413
    assert server.rows("select description from deploys") == [{"description": None}]


def test_head_answers_as_get_without_a_body(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(server, key)
    for path in ("", f"/{deploy_id}", f"/{deploy_id}/changes"):
        head = server.http.head(f"/api/v1/deploys{path}", headers=bearer(key))
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(get(server, key, path).content)
    assert server.http.head("/api/v1/deploys").status_code == 401


def test_the_page_has_the_address_under_which_it_was_asked_for(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE)
    deploy_id = record(server, key)
    answer = server.http.get(
        f"/api/v1/deploys/{deploy_id}",
        headers={**bearer(key), "Host": "apm.example.com", "X-Forwarded-Proto": "https"},
    )
    assert answer.json()["page"] == f"https://apm.example.com/p/default/deploys/{deploy_id}"
