"""What an import of many deploys costs: processor time of `miniapm deploys import`, by format.

python -m bench.importing [LINES]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from miniapm import clock
from miniapm.storage.connection import open_connection
from miniapm.storage.migrations import migrate
from miniapm.storage.once import write_once
from miniapm.storage.projects import Project, insert_project

_FIRST = 1_400_000_000


def main() -> None:
    """Prints a line for each format, first time and again."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="miniapm-") as directory:
        home = Path(directory)
        for name, write in _WRITERS.items():
            file, path = home / name, home / f"{name}.db"
            with file.open("w") as out:
                write(out.write, lines)
            _make_database(path)
            for how in ("new", "again"):
                wall, processor = _measure(file, path)
                print(
                    f"{name:20} {how:5}  {lines:,} lines  {wall:5.1f} s  {processor:5.1f} s of "
                    "processor time"
                )


def _make_database(path: Path) -> None:
    connection = open_connection(path, create=True)
    migrate(connection, path, clock.now())
    connection.close()
    write_once(path, insert_project, Project(1, "default", "Default", clock.now()))


def _measure(file: Path, path: Path) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [sys.executable, "-m", "miniapm", "deploys", "import", str(file), "--db", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, processor


def _write_ndjson(write: Callable[[str], object], lines: int) -> None:
    for number in range(lines):
        at = _FIRST + number * 3600
        fields = {
            "git_sha": f"{number:040x}",
            "timestamp": at,
            "version": f"v{number}",
            "deployer": "ann",
            "tags": ["a", "b"],
            "commits": [{"sha": f"{number:040x}", "timestamp": at - 600, "message": "Mend it"}],
        }
        write(json.dumps(fields) + "\n")


def _write_csv(write: Callable[[str], object], lines: int) -> None:
    write("git_sha,timestamp,version,env,deployer\n")
    for number in range(lines):
        write(f"{number:040x},{_FIRST + number * 3600},v{number},production,ann\n")


def _write_github(write: Callable[[str], object], lines: int) -> None:
    for number in range(lines):
        at = clock.to_rfc3339((_FIRST + number * 3600) * clock.SECOND)
        fields = {
            "url": f"https://api.github.com/repos/acme/shop/deployments/{number}",
            "id": number,
            "sha": f"{number:040x}",
            "environment": "production",
            "creator": {"login": "ann"},
            "created_at": at,
            "statuses": [{"state": "success", "created_at": at}],
        }
        write(json.dumps([fields]))


_WRITERS = {
    "deploys.ndjson": _write_ndjson,
    "deploys.csv": _write_csv,
    "deployments.json": _write_github,
}

if __name__ == "__main__":
    main()
