"""The wheel carries all it needs: built, installed elsewhere, run from an empty directory."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = directory.glob("*.whl")
    return built


def test_it_carries_templates_migrations_and_static_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "templates").rglob("*.html"):
        assert f"miniapm/templates/{path.relative_to(ROOT / 'templates')}" in names
    for pattern in ("storage/migrations/*.sql", "web/static/*"):
        for path in (ROOT / "miniapm").glob(pattern):
            assert str(path.relative_to(ROOT)) in names
    assert {name.split("/")[0] for name in names if not name.startswith("miniapm-")} == {"miniapm"}


@pytest.mark.slow
def test_it_serves_from_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    target, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    # the dependencies are those of this environment; the package itself is only the wheel's
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel],
        check=True,
        capture_output=True,
    )
    environ = {**os.environ, "PYTHONPATH": str(target)}
    where = subprocess.run(
        [sys.executable, "-c", "import miniapm; print(miniapm.__file__)"],
        cwd=empty,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.startswith(str(target))
    process = subprocess.Popen(
        [sys.executable, "-m", "miniapm", "serve", "--port", "0"],
        cwd=empty,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = next(
            found[0] for line in process.stdout if (found := re.search(r"http://\S+:\d+", line))
        )
        with urllib.request.urlopen(f"{address}/login") as page:
            assert page.status == 200
            html = page.read().decode()
        style = re.search(r'href="(/static/[^"]+\.css)"', html)
        assert style is not None
        with urllib.request.urlopen(address + style[1]) as sheet:
            assert sheet.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        process.stdout.close()
