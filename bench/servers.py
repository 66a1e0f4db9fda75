"""Servers under measurement, as processes of their own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ServerProcess:
    address: str
    pid: int
    directory: Path
    started_in: float

    def cpu_seconds(self) -> float:
        """Processor time used so far, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        return self._memory_mb("VmRSS")

    def peak_rss_mb(self) -> float:
        """The most that it ever was since the start."""
        return self._memory_mb("VmHWM")

    def _memory_mb(self, field: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(rf"{field}:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) / 1024

    def run(self, *arguments: str) -> str:
        """Runs a miniapm command in the server's directory; its stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "miniapm", *arguments],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@contextmanager
def serve(*command: str, directory: Path | None = None) -> Iterator[ServerProcess]:
    """Starts `python <command>`, waits for the address that it prints, stops it at the end."""
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        where = directory or Path(made)
        began = time.monotonic()
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        process = subprocess.Popen(
            [sys.executable, *command], cwd=where, stdout=subprocess.PIPE, text=True, env=environ
        )
        try:
            yield ServerProcess(
                _read_address(process), process.pid, where, time.monotonic() - began
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            assert process.stdout is not None
            process.stdout.close()


def _read_address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        match = re.search(r"http://\S+:\d+", line)
        if match is not None:
            return match[0]
    raise RuntimeError("the server ended before it had an address")


@contextmanager
def serve_miniapm(directory: Path | None = None) -> Iterator[ServerProcess]:
    with serve("-m", "miniapm", "serve", "--port", "0", directory=directory) as server:
        yield server
