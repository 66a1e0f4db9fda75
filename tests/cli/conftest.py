"""The command line as a person uses it: in a directory of its own, with a clean environment."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from miniapm.cli import run
from tests import factories


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """Runs a command in `home`; `rows` reads the database there."""

    home: Path
    capsys: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.StringIO(stdin))
            code = run(arguments)
        captured = self.capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        return factories.read_rows(self.home / "miniapm.db", sql, **values)


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """In an empty directory."""
    for name in [name for name in os.environ if name.startswith("MINIAPM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capsys, monkeypatch)


@pytest.fixture
def make_database() -> Callable[[Path], None]:
    """Makes an empty database with the project `default`, as the first `serve` does."""

    def make(path: Path) -> None:
        factories.make_database(path, "default").close()

    return make


@pytest.fixture
def miniapm(command: Command, make_database: Callable[[Path], None]) -> Command:
    """In a directory with an empty database."""
    make_database(command.home / "miniapm.db")
    return command
