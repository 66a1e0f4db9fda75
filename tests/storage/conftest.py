"""A database for tests of its functions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from miniapm.storage.connection import Connection
from tests.factories import make_database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A new database with the projects shop (1) and other (2)."""
    made = make_database(tmp_path / "miniapm.db", "shop", "other")
    yield made
    made.close()
