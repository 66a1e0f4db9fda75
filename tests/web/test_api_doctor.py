"""Why a deploy is not in a graph or number, asked over the API."""

from tests.conftest import Server


def test_it_says_why_a_deploy_does_not_count(server: Server) -> None:
    key = {"authorization": f"Bearer {server.make_key()}"}
    given = {"git_sha": "a1" * 20, "version": "v2", "env": "staging"}
    answer = server.http.post("/ingest/deploys", json=given, headers=key)
    deploy_id = answer.headers["location"].rpartition("/")[2]
    [row] = server.rows("select id, env from deploys")
    assert (str(row["id"]), row["env"]) == (deploy_id, "staging")
    answer = server.http.get(f"/api/v1/deploys/{deploy_id}/doctor", headers=key)
    assert answer.status_code == 200
    first, *others = answer.json()["findings"]
    assert first["mark"] == "ok"
    assert first["sentence"].endswith("counts in the delivery numbers where staging is chosen.")
    [place] = [one for one in others if "none of the production environments" in one["sentence"]]
    assert place["mark"] == "note"
    assert "delivery.production_environments" in place["advice"]


def test_others_are_not_told(server: Server) -> None:
    key = {"authorization": f"Bearer {server.make_key()}"}
    assert server.http.get("/api/v1/deploys/77/doctor", headers=key).status_code == 404
    assert server.http.get("/api/v1/deploys/x/doctor", headers=key).status_code == 404
    assert server.http.get("/api/v1/deploys/77/doctor").status_code == 401
