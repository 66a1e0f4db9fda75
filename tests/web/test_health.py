"""`/readyz` tells what stands in the way of work, whoever put it there."""

import shutil

from tests.conftest import Server


def test_a_database_in_its_place_is_ready(server: Server) -> None:
    answer = server.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": []})


def test_a_database_that_was_replaced_is_not_ready(server: Server) -> None:
    other = server.path.with_name("other.db")
    shutil.copy(server.path, other)
    old = server.path.with_name("old.db")
    server.path.rename(old)
    other.rename(server.path)
    answer = server.http.get("/readyz")
    assert answer.status_code == 503
    assert ["moved, replaced or deleted" in reason for reason in answer.json()["reasons"]] == [True]
    old.rename(server.path)
    assert server.http.get("/readyz").status_code == 200


def test_a_database_that_was_deleted_is_not_ready(server: Server) -> None:
    server.path.unlink()
    answer = server.http.get("/readyz")
    assert answer.status_code == 503
    assert "moved, replaced or deleted" in answer.text
    assert str(server.path) not in answer.text
