"""What the tests with real senders share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from miniapm import clock as real_clock
from tests.conftest import Server, start_server


@pytest.fixture
def real_server(tmp_path: Path) -> Iterator[Server]:
    """A server by the true time, which real senders live in."""
    yield from start_server(tmp_path / "miniapm.db", real_clock.now)
