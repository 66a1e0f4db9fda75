"""What the command line changes about people."""

from pathlib import Path

import pytest

from miniapm.domain.ids import IdMaker
from miniapm.exceptions import Conflict
from miniapm.storage.accounts import create_user, is_last_admin, remove_user
from miniapm.storage.audit import Act
from miniapm.storage.connection import open_connection
from miniapm.storage.migrations import migrate
from miniapm.storage.users import find_users
from tests.factories import START


def test_the_last_admin_stays_even_when_the_other_went_a_moment_ago(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "miniapm.db", create=True)
    migrate(connection, tmp_path / "miniapm.db", START)
    act = Act("command line", START, IdMaker(lambda: START))
    for name in ("ann", "eve"):
        create_user(connection, act, name, "admin", (), "hash")
    assert not is_last_admin(connection, "ann")
    remove_user(connection, act, "eve", may_be_last=False)
    with pytest.raises(Conflict, match="ann is the last admin"):
        remove_user(connection, act, "ann", may_be_last=False)
    assert [user.name for user in find_users(connection)] == ["ann"]
    remove_user(connection, act, "ann", may_be_last=True)
    assert find_users(connection) == []
    connection.close()
