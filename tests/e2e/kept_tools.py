"""Programs of other services as people run them, and the README's "Keep your tool"."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import Server

SECONDS = 120
README = Path(__file__).parent.parent.parent / "README.md"

Program = Callable[[str], str]


@dataclass
class Client:
    """A program in a directory of its own that knows nothing but `variables`."""

    program: str
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it prints; it must end with `code`."""
        done = subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self.variables},
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def stored(server: Server, *columns: str) -> list[dict[str, Any]]:
    """These columns of all deploys, in the order in which they came."""
    return server.rows(f"select {', '.join(columns)} from deploys order by id")


def read_snippets() -> dict[str, str]:
    """The snippets of the section by the words before them."""
    readme = README.read_text(encoding="utf-8")
    section = re.search(r"^### Keep your tool$(.*?)^##+ ", readme, re.M | re.S)
    assert section is not None
    found = re.findall(r"^\*\*(.+?)\.\*\*.*?\n```\w+\n(.*?)^```$", section[1], re.M | re.S)
    return dict(found)


def write_for(server: Server, title: str, key: str) -> str:
    """A snippet for this server and key."""
    snippet = read_snippets()[title]
    assert "https://miniapm.example" in snippet
    assert "proj_YOUR_KEY" in snippet
    return snippet.replace("https://miniapm.example", server.url).replace("proj_YOUR_KEY", key)
