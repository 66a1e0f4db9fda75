"""`scripts/serve` on a fresh checkout: sets itself up and serves, with nothing there before."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that git knows or would add, copied elsewhere."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    target = tmp_path / "checkout"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.mark.slow
def test_serve_sets_up_and_serves_from_an_empty_directory(checkout: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    inherited = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    process = subprocess.Popen(
        [checkout / "scripts" / "serve", "--port", "0"],
        cwd=empty,
        env={**inherited, "PYTHON": str(Path(sys.base_prefix) / "bin" / "python3")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if "/login?token=" in line:
                break
        address = re.search(r"http://\S+:\d+", printed)
        assert address is not None, printed
        with urllib.request.urlopen(f"{address[0]}/health") as answer:
            assert answer.status == 200
        command = checkout / ".venv" / "bin" / "miniapm"
        made = subprocess.run(
            [command, "keys", "create", "hook"], cwd=empty, check=True, capture_output=True
        )
        assert re.fullmatch(rb"proj_\w{36}\n", made.stdout)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 0
