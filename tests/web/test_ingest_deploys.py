"""`POST /ingest/deploys`: the answer, and the row that it left."""

from tests.conftest import Server


def post(server: Server, key: str, **fields: object) -> int:
    answer = server.http.post(
        "/ingest/deploys", json=fields, headers={"Authorization": f"Bearer {key}"}
    )
    return answer.status_code


def test_it_stores_a_deploy_and_shows_it(server: Server) -> None:
    key = server.make_key()
    answer = server.http.post(
        "/ingest/deploys",
        content='{"git_sha": "abc123def456789", "version": "v1.2.3", "deployer": "ci"}',
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    assert (answer.status_code, answer.content) == (202, b"")
    [row] = server.rows("select * from deploys")
    assert answer.headers["location"] == f"/p/default/deploys/{row['id']}"
    assert (row["git_sha"], row["version"], row["deployer"]) == ("abc123def456789", "v1.2.3", "ci")
    assert (row["env"], row["service"], row["status"]) == ("production", "default", "succeeded")
    assert row["deployed_at"] == server.clock()
    page = server.sign_in().get("/p/default/deploys")
    assert "v1.2.3" in page.text
