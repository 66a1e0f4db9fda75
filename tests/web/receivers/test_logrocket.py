"""LogRocket's command asks first whether its key is good."""

from tests.conftest import Server


def test_its_status(server: Server) -> None:
    key = server.make_key()
    good = {"Authorization": f"Token acme:shop:{key}"}
    assert server.http.get("/cli/status/", headers=good).status_code == 200
    bad = {"Authorization": "Token acme:shop:lrfake"}
    answer = server.http.get("/cli/status/", headers=bad)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}
    reader = {"Authorization": f"Token acme:shop:{server.make_key('read')}"}
    assert server.http.get("/cli/status/", headers=reader).status_code == 403
