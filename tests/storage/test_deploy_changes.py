"""Changes of deploys: what is stored, what is kept of before, and that each can be undone."""

import pytest

from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import IdMaker
from miniapm.exceptions import Invalid, NotFound
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import (
    edit_deploy,
    find_changes,
    hide_deploy,
    restore_deploy,
    undo_change,
)
from miniapm.storage.deploys.find import DeployFilter, find_deploys, get_deploy
from miniapm.storage.deploys.rows import insert_row
from tests.conftest import FakeClock
from tests.factories import START, make_deploy

DEPLOY = make_deploy(
    id=7, title="old", tags=("a", "b"), sources=("api", "github"), started_at=START - MINUTE
)


@pytest.fixture(autouse=True)
def _insert_deploy(connection: Connection) -> None:
    insert_row(connection, DEPLOY)


@pytest.fixture
def act(clock: FakeClock) -> Act:
    return Act("ann", clock() + MINUTE, IdMaker(clock))


def read(connection: Connection) -> Deploy:
    return get_deploy(connection, 1, 7)


def test_an_edit_is_stored_with_what_was_before(connection: Connection, act: Act) -> None:
    changed = edit_deploy(connection, act, 1, 7, {"title": "new", "tags": ["c"], "env": "staging"})
    assert read(connection) == changed.deploy
    assert (changed.deploy.title, changed.deploy.tags) == ("new", ("c",))
    assert changed.deploy.updated_at == act.at
    [change] = find_changes(connection, 1, 7)
    assert (change.id, change.actor, change.changed_at) == (changed.change_id, "ann", act.at)
    assert change.before == {"env": "production", "tags": ["a", "b"], "title": "old"}
    assert change.after == {"env": "staging", "tags": ["c"], "title": "new"}
    found = find_deploys(connection, 1, DeployFilter(query="NEW", tag="c"), 10)
    assert [deploy.id for deploy in found] == [7]
    assert find_deploys(connection, 1, DeployFilter(query="old"), 10) == []


def test_what_changes_nothing_leaves_nothing(connection: Connection, act: Act) -> None:
    assert edit_deploy(connection, act, 1, 7, {"title": "old"}).change_id is None
    assert restore_deploy(connection, act, 1, 7).change_id is None
    assert read(connection) == DEPLOY
    assert find_changes(connection, 1, 7) == []


def test_a_bad_edit_stores_nothing(connection: Connection, act: Act) -> None:
    with pytest.raises(Invalid):
        edit_deploy(connection, act, 1, 7, {"title": "new", "status": "done"})
    assert read(connection) == DEPLOY
    assert find_changes(connection, 1, 7) == []


def test_hiding_keeps_the_row_and_restoring_brings_it_back(
    connection: Connection, act: Act
) -> None:
    hidden = hide_deploy(connection, act, 1, 7)
    assert read(connection).hidden_at == act.at
    assert find_deploys(connection, 1, DeployFilter(), 10) == []
    assert len(find_deploys(connection, 1, DeployFilter(hidden=True), 10)) == 1
    later = act._replace(at=act.at + MINUTE)
    assert hide_deploy(connection, later, 1, 7).deploy == hidden.deploy
    restore_deploy(connection, later, 1, 7)
    assert read(connection).hidden_at is None
    assert [c.after for c in find_changes(connection, 1, 7)] == [
        {"hidden_at": None},
        {"hidden_at": act.at},
    ]


def test_an_undo_puts_back_everything_and_can_be_undone(connection: Connection, act: Act) -> None:
    edited = edit_deploy(
        connection, act, 1, 7, {"title": None, "tags": [], "status": "failed", "started_at": None}
    )
    assert edited.change_id is not None
    undone = undo_change(connection, act, 1, 7, edited.change_id)
    back = read(connection)
    assert (back.title, back.tags, back.status) == ("old", ("a", "b"), "succeeded")
    assert (back.started_at, back.sources) == (DEPLOY.started_at, DEPLOY.sources)
    assert back.updated_at > edited.deploy.updated_at
    assert undone.change_id is not None
    undo_change(connection, act, 1, 7, undone.change_id)
    assert read(connection).status == "failed"
    assert len(find_changes(connection, 1, 7)) == 3


def test_an_undo_leaves_later_changes_of_other_fields(connection: Connection, act: Act) -> None:
    first = edit_deploy(connection, act, 1, 7, {"title": "new"})
    edit_deploy(connection, act, 1, 7, {"deployer": "bob"})
    assert first.change_id is not None
    undo_change(connection, act, 1, 7, first.change_id)
    assert (read(connection).title, read(connection).deployer) == ("old", "bob")


def test_another_projects_deploy_is_not_found(connection: Connection, act: Act) -> None:
    change = edit_deploy(connection, act, 1, 7, {"title": "new"})
    assert change.change_id is not None
    with pytest.raises(NotFound):
        edit_deploy(connection, act, 2, 7, {"title": "theirs"})
    with pytest.raises(NotFound):
        hide_deploy(connection, act, 2, 7)
    with pytest.raises(NotFound):
        restore_deploy(connection, act, 2, 7)
    with pytest.raises(NotFound):
        undo_change(connection, act, 2, 7, change.change_id)
    assert find_changes(connection, 2, 7) == []
    assert read(connection).title == "new"


def test_an_unknown_change_is_not_found(connection: Connection, act: Act) -> None:
    insert_row(connection, make_deploy(id=8, git_sha="bbbbbbb2"))
    other = edit_deploy(connection, act, 1, 8, {"title": "new"})
    assert other.change_id is not None
    with pytest.raises(NotFound):
        undo_change(connection, act, 1, 7, other.change_id)
