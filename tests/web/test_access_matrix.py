"""Who may what: every route of the tables, asked by every kind of caller.

What is expected comes from the route's Access and nothing else, so a new route is tested by
being in the table.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import httpx2
import pytest

from miniapm.clock import DAY
from miniapm.domain.keys import SCOPES, make_secret
from miniapm.domain.users import ROLES, Role
from miniapm.web.auth import PUBLIC, Access
from miniapm.web.routes import INGEST_ROUTES, ROUTES
from tests import factories
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START

ALLOWED, SIGN_IN, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = "allowed", "sign in", "401", "403", "404"


class Target(NamedTuple):
    """One method of one address."""

    method: str
    path: str
    access: Access
    is_ingest: bool = False

    @property
    def is_page(self) -> bool:
        return not self.is_ingest and not self.path.startswith("/api/")

    @property
    def names_a_project(self) -> bool:
        """Whether its address says whose it is: by slug, or by the id of a deploy."""
        return re.search(r"{(slug|id)}", self.path) is not None


class Asker(NamedTuple):
    """A kind of caller. `secret` is a key's; `role` asks with a new session of that role."""

    name: str
    secret: str | None = None
    scopes: tuple[str, ...] = ()
    has_ended: bool = False
    role: Role | None = None
    signed_out: bool = False
    project: str = "default"


def list_targets() -> list[Target]:
    ingest = [
        Target("POST", route.path, Access(route.scopes), is_ingest=True) for route in INGEST_ROUTES
    ]
    listed = [Target(route.method, route.path, route.access) for route in ROUTES]
    heads = [target._replace(method="HEAD") for target in listed if target.method == "GET"]
    return [*ingest, *listed, *heads]


def expect(target: Target, asker: Asker) -> str:
    if target.access == PUBLIC:
        return ALLOWED
    if asker.secret is not None and target.access.scopes:
        return _expect_for_key(target, asker)
    if asker.role is None or target.is_ingest:
        return SIGN_IN if target.is_page else UNAUTHORIZED
    if target.access.role is None or ROLES.index(asker.role) < ROLES.index(target.access.role):
        return FORBIDDEN
    return _expect_for_outsider(target, asker)


def _expect_for_key(target: Target, asker: Asker) -> str:
    if asker.has_ended:
        return FORBIDDEN
    if not asker.scopes:
        return UNAUTHORIZED
    if not set(asker.scopes) & set(target.access.scopes):
        return FORBIDDEN
    return _expect_for_outsider(target, asker)


def _expect_for_outsider(target: Target, asker: Asker) -> str:
    is_outsider = asker.project != "default" and asker.role != "admin"
    return NOT_FOUND if is_outsider and target.names_a_project else ALLOWED


class House(NamedTuple):
    """A server with two projects, keys of every kind, and a deploy that a writing key recorded."""

    server: Server
    askers: list[Asker]
    deploy_id: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path = tmp_path_factory.mktemp("matrix") / "miniapm.db"
    for server in start_server(path, FakeClock(), limits={"logins_per_minute": 10_000}):
        server.run(factories.insert_project(server.running.context, "other"))
        writing = server.make_key("deploys:write")
        answer = server.http.post(
            "/ingest/deploys",
            json={"git_sha": "abc1234"},
            headers={"Authorization": f"Bearer {writing}"},
        )
        yield House(server, _make_askers(server, writing), answer.headers["location"].split("/")[4])


def _make_askers(server: Server, writing: str) -> list[Asker]:
    single = [
        Asker(f"key with {scope}", server.make_key(scope), (scope,))
        for scope in SCOPES
        if scope != "deploys:write"
    ]
    ended = {"revoked": START - DAY, "expired": START}
    revoked = server.make_key(*SCOPES)
    expired = server.make_key(*SCOPES, expires_at=ended["expired"])
    _revoke(server, revoked)
    return [
        Asker("nobody"),
        Asker("a key that nobody knows", make_secret()),
        Asker("rubbish for a key", "proj_nonsense"),
        Asker("a revoked key", revoked, SCOPES, has_ended=True),
        Asker("an expired key", expired, SCOPES, has_ended=True),
        Asker("key with deploys:write", writing, ("deploys:write",)),
        *single,
        Asker(
            "a key of another project", server.make_key(*SCOPES, project="other"), SCOPES
        )._replace(project="other"),
        *[Asker(role, role=role) for role in ROLES],
        Asker("a member of another project", role="member", project="other"),
        Asker("a viewer of another project", role="viewer", project="other"),
        Asker("somebody who signed out", signed_out=True),
    ]


def _revoke(server: Server, secret: str) -> None:
    from miniapm.domain.keys import hash_secret
    from miniapm.storage.keys import find_key_by_hash, update_revoked

    database = server.running.context.database
    key = server.run(database.read(find_key_by_hash, hash_secret(secret)))
    assert key is not None
    server.run(database.write(update_revoked, key.id, START - 1, START))


def ask(house: House, target: Target, asker: Asker) -> str:
    """What came of it. A session is new each time: some routes end it."""
    server = house.server
    path = target.path.replace("{slug}", "default").replace("{id}", house.deploy_id)
    path = re.sub(r"{\w+}", "1", path)
    headers = {} if asker.secret is None else {"Authorization": f"Bearer {asker.secret}"}
    cookies = {}
    if asker.role is not None or asker.signed_out:
        token = server.run(
            factories.insert_session(
                server.running.context, asker.role or "admin", (asker.project,)
            )
        )
        if asker.signed_out:
            server.http.post("/logout", headers={"Cookie": f"miniapm_session={token}"})
        cookies = {"Cookie": f"miniapm_session={token}"}
    # only the status: a live page never ends
    with server.http.stream(target.method, path, headers={**headers, **cookies}) as answer:
        return _read_outcome(target, answer)


def _read_outcome(target: Target, answer: httpx2.Response) -> str:
    location = answer.headers.get("location", "")
    status = answer.status_code
    if status >= 500:
        return str(status)
    if target.access == PUBLIC:
        # whatever it says, it is not the route that refuses
        return ALLOWED
    if status == 303 and location.startswith("/login"):
        return SIGN_IN
    return str(status) if status in (401, 403, 404) else ALLOWED


def test_every_cell(house: House) -> None:
    wrong = []
    cells = 0
    for target in list_targets():
        for asker in house.askers:
            expected, outcome = expect(target, asker), ask(house, target, asker)
            # who may ask may also ask for what is not there
            is_right = outcome == expected or (expected == ALLOWED and outcome == NOT_FOUND)
            cells += 1
            if not is_right:
                wrong.append(
                    f"{target.method} {target.path} by {asker.name}: {outcome}, not {expected}"
                )
    assert not wrong, "\n".join(wrong)
    assert cells == len(list_targets()) * len(house.askers)


def test_every_route_that_is_not_public_refuses_somebody() -> None:
    askers = [Asker("nobody"), Asker("viewer", role="viewer")]
    for target in list_targets():
        outcomes = {expect(target, asker) for asker in askers}
        assert (outcomes == {ALLOWED}) == (target.access == PUBLIC), target
