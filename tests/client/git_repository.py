"""Real git repositories for tests, untouched by the configuration of who runs them."""

import os
import subprocess
from pathlib import Path


def git_environment(home: Path) -> dict[str, str]:
    """The environment under which git sees no configuration but the repository's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(home),
    }


class GitRepository:
    """A repository on branch main whose user is Ann."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.com")

    def git(self, *arguments: str, **environ: str) -> str:
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=git_environment(self.path.parent) | environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.strip()

    def commit(self, message: str, **environ: str) -> str:
        """Makes an empty commit and gives its sha."""
        self.git("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message, **environ)
        return self.git("rev-parse", "HEAD")
