"""The environment that the README and the empty overview print configures a real SDK as it is."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.e2e.otel_environment_app import CARTS
from tests.e2e.sent_telemetry import read_endpoints, read_errors, read_releases
from tests.web.markup import parse_html

ROOT = Path(__file__).parent.parent.parent
SECONDS = 120


def print_of_readme(server: Server) -> str:
    """The first block of shell under "Send telemetry", with this server's address in it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Send telemetry$.*?^```sh\n(.*?)^```$", readme, re.M | re.S)
    assert found is not None
    assert found[1].count("http://127.0.0.1:3000") == 1
    return found[1].replace("http://127.0.0.1:3000", server.url)


def print_of_page(server: Server) -> str:
    """What the overview shows while no telemetry has come."""
    page = parse_html(server.sign_in().get("/p/default/").text)
    blocks = [code.raw_text for code in page.select("pre code")]
    [block] = [text for text in blocks if "OTEL_SERVICE_NAME" in text]
    assert server.url in block
    return block


def run_python(server: Server, exports: str, *arguments: str) -> tuple[int, str, str]:
    """Runs Python in a shell that has read `exports` and knows a key, and no more."""
    done = subprocess.run(
        ["sh", "-eu", "-c", f'{exports}\nexec "$0" "$@"', sys.executable, *arguments],
        cwd=ROOT,
        env={"MINIAPM_API_KEY": server.make_key()},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def read_release(exports: str) -> tuple[str, str, str]:
    """The service, environment and version that are written there."""
    names = ("OTEL_SERVICE_NAME", "deployment.environment.name", "service.version")
    found = [re.findall(rf"{re.escape(name)}=([\w.-]+)", exports) for name in names]
    [service], [env], [version] = found
    return service, env, version


@pytest.mark.parametrize("print_of", [print_of_readme, print_of_page])
def test_the_printed_environment_configures_a_real_sdk(
    real_server: Server, print_of: Callable[[Server], str]
) -> None:
    exports = print_of(real_server)
    release = read_release(exports)
    done = run_python(real_server, exports, "-m", "tests.e2e.otel_environment_app")
    assert done == (0, "", "")
    assert read_releases(real_server) == [release]
    entries = real_server.rows(
        """select r.service, r.env, r.version, count(*) as entries from entries e
        join releases r on r.project_id = e.project_id and r.id = e.release_id
        group by r.service, r.env, r.version"""
    )
    assert [tuple(row.values()) for row in entries] == [(*release, CARTS + 2)]
    assert read_endpoints(real_server)["GET /carts/{id}"].database_count == CARTS
    assert read_errors(real_server) == [("KeyError", "'pear'", 1)]


def test_the_program_of_the_readme_sends_a_request(real_server: Server) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Send telemetry\n")[2].partition("\n## ")[0]
    [program] = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    exports = print_of_readme(real_server)
    assert run_python(real_server, exports, "-c", program) == (0, "served\n", "")
    assert read_releases(real_server) == [read_release(exports)]
    assert {name: found.requests for name, found in read_endpoints(real_server).items()} == {
        "GET /orders/{id}": 1
    }
