"""What holds for every receiver: who is let in, what is stored once, what is answered."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from miniapm.domain.receivers.values import KINDS, SIGNING
from miniapm.storage.receivers.deliveries import KEPT_FOR, delete_deliveries_before
from tests.conftest import Server
from tests.web.receivers.hook_samples import SENDERS
from tests.web.receivers.hooks import deploys, make_hook, recorded, sign

SAMPLES = {sender.kind: sender for sender in reversed(SENDERS.values()) if not sender.is_push}
every_kind = pytest.mark.parametrize("kind", KINDS)


def count(server: Server, table: str) -> int:
    return int(server.rows(f"select count(*) as n from {table}")[0]["n"])


@every_kind
def test_a_deploy_is_stored(server: Server, kind: str) -> None:
    hook, sample = make_hook(server, kind), SAMPLES[kind]
    answer = hook.send(sample.said, sample.event)
    assert answer.status_code == 202
    [row] = server.rows("select id, sources, status from deploys")
    assert (row["sources"], row["status"]) == (kind, "succeeded")
    assert answer.json() == {"result": "stored", "deploy_id": str(row["id"])}
    assert answer.headers["location"] == f"/p/default/deploys/{row['id']}"
    [known] = server.rows("select source, deploy_id from deploy_ids")
    assert known == {"source": kind, "deploy_id": row["id"]}
    [last] = server.rows("select last_used_at from receivers")
    assert last["last_used_at"] == server.clock() - server.clock() % 60_000_000


@pytest.mark.parametrize("kind", sorted(SIGNING))
def test_what_is_no_signature(server: Server, kind: str) -> None:
    hook, sample = make_hook(server, kind), SAMPLES[kind]
    [name] = sign(kind, hook.secret, b"")
    for value in ("", "sha256=", b"\xe9", "0" * 64):
        answer = hook.send(sample.said, sample.event, headers={name: value})
        assert answer.status_code == 401
        assert hook.secret not in answer.text
    assert count(server, "deploys") == count(server, "receiver_deliveries") == 0


@every_kind
def test_addresses_that_nobody_has(server: Server, kind: str) -> None:
    hook, sample = make_hook(server, kind), SAMPLES[kind]
    other = make_hook(server, "gitlab" if kind == "github" else "github")
    # an address is of one kind of sender
    for address in ("x", other.path.rpartition("/")[2], "%00", "é" * 50):
        answer = server.http.post(f"/hooks/{kind}/{address}", json=sample.said)
        assert answer.status_code == 404
        assert answer.json()["error"] == "not_found"
    assert server.http.get(hook.path).status_code == 405
    assert server.http.get(hook.path).headers["allow"] == "POST"
    assert count(server, "deploys") == 0


@every_kind
def test_the_same_delivery_five_times_at_once(server: Server, kind: str) -> None:
    hook, sample = make_hook(server, kind), SAMPLES[kind]
    with ThreadPoolExecutor(5) as pool:
        answers = [
            pool.submit(hook.send, sample.said, sample.event, delivery="one") for _ in range(5)
        ]
        said = {(answer.result().status_code, answer.result().content) for answer in answers}
    [row] = server.rows("select id from deploys")
    assert said == {(202, f'{{"result":"stored","deploy_id":"{row["id"]}"}}'.encode())}
    assert count(server, "receiver_deliveries") == 1


def test_an_address_is_stored_nowhere(server: Server) -> None:
    hook = make_hook(server, "coolify")
    token = hook.path.rpartition("/")[2]
    hook.send(b"{")
    hook.send(SAMPLES["coolify"].said)
    assert len(token) >= 43
    for path in server.path.parent.glob(f"{server.path.name}*"):
        assert token.encode() not in path.read_bytes()


def test_two_projects_share_nothing(server: Server) -> None:
    from tests import factories

    server.run(factories.insert_project(server.running.context, "other"))
    sample = SAMPLES["github"]
    for project in ("default", "other"):
        hook = make_hook(server, "github", project=project)
        assert hook.send(sample.said, sample.event, delivery="one").status_code == 202
    assert count(server, "deploys") == count(server, "deploy_ids") == 2
    assert len(server.rows("select distinct project_id from deploys")) == 2


def test_old_deliveries_are_forgotten(server: Server) -> None:
    hook, sample = make_hook(server, "github"), SAMPLES["github"]
    database = server.running.context.database
    hook.send(sample.said, sample.event)
    server.clock.move(KEPT_FOR)
    hook.send(sample.other, sample.other_event)
    at = server.clock() - KEPT_FOR + 1
    assert server.run(database.write(delete_deliveries_before, at)) == 1
    assert server.rows("select status from receiver_deliveries") == [{"status": 200}]
    # the deploy is known by its own id still
    hook.send(sample.said, sample.event)
    assert len(deploys(server)) == 1


def test_a_deleted_project_takes_its_receivers_along(server: Server) -> None:
    from miniapm.storage.audit import Act
    from miniapm.storage.projects import delete_project

    hook = make_hook(server, "github")
    hook.send(SAMPLES["github"].said, "deployment_status")
    hook.send(recorded("github/push.branch"), "push")
    context = server.running.context
    act = Act("test", server.clock(), context.make_id)
    server.run(context.database.write(delete_project, act, "default"))
    for table in ("receivers", "receiver_deliveries", "deploy_ids", "pushed_commits"):
        assert count(server, table) == 0
    assert hook.send(SAMPLES["github"].said, "deployment_status").status_code == 404
