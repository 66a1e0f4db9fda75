"""What the command line changes about users."""

import pytest

from miniapm.domain.ids import IdMaker
from miniapm.exceptions import Conflict
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.users import create_user, find_users, is_last_admin, remove_user
from tests.factories import START


def test_the_last_admin_stays_even_when_the_other_went_a_moment_ago(connection: Connection) -> None:
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
