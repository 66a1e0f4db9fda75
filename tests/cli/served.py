"""`miniapm serve` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Served:
    """A running server: what it printed first, and its process."""

    process: "subprocess.Popen[str]"
    printed: list[str]

    @property
    def address(self) -> str:
        match = re.search(r"http://\S+", self.printed[0])
        assert match is not None
        return match[0]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """The exit code, the rest of stdout, and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def serving(where: Path, *arguments: str, lines: int = 2, **environ: str) -> Iterator[Served]:
    """Serves in `where` on a free port; reads the first `lines` that it prints."""
    clean = {name: value for name, value in os.environ.items() if "MINIAPM" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "miniapm", "serve", "--port", "0", *arguments],
        cwd=where,
        env=clean | environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        printed = [process.stdout.readline() for _ in range(lines)]
        if not printed[0]:
            raise AssertionError(process.stderr.read())
        yield Served(process, [line.rstrip("\n") for line in printed])
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def refused(where: Path, *arguments: str, **environ: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a `serve` that cannot start."""
    clean = {name: value for name, value in os.environ.items() if "MINIAPM" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "miniapm", "serve", *arguments],
        cwd=where,
        env=clean | environ,
        text=True,
        capture_output=True,
        timeout=20,
    )
    return done.returncode, done.stdout, done.stderr
