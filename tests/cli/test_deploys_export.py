"""`miniapm deploys export`, and that its files come back whole."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.cli import run
from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.values import Commit
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_commits, insert_row
from miniapm.storage.deploys.transfer import find_all_deploys
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import Project, insert_project
from tests.cli.conftest import Command
from tests.factories import START, make_deploy

DEPLOYS = (
    ExportedDeploy(
        make_deploy(
            id=11,
            version="v1",
            title="=SUM(A1)",
            description="two\nlines",
            deployer="älice",
            tags=("a", "b"),
            external_id="run-1",
            url="https://ci.example.com",
            repository="git@a:b",
            sources=("api", "github"),
            started_at=START - MINUTE,
            recorded_at=START + HOUR,
        ),
        (Commit("abc", START, "Fix\n\nit", "bob"), Commit("def")),
    ),
    # the same again at once, as `POST /deployments` counts it: both stay
    ExportedDeploy(make_deploy(id=12, version="v1", deployed_at=START + 1)),
    ExportedDeploy(
        make_deploy(id=13, status="timed_out", deployed_at=START + HOUR, started_at=START)
    ),
    ExportedDeploy(make_deploy(id=14, deployed_at=START + DAY, hidden_at=START + DAY + 1)),
    ExportedDeploy(
        make_deploy(id=15, status="started", deployed_at=START + 2, started_at=START + 2)
    ),
)


def fill(path: Path, deploys: tuple[ExportedDeploy, ...] = DEPLOYS) -> None:
    def insert(connection: Connection) -> None:
        for one in deploys:
            insert_row(connection, one.deploy)
            insert_commits(connection, 1, one.deploy.id, one.commits)

    write_once(path, insert)


def read(path: Path, project_id: int = 1) -> list[dict[str, Any]]:
    """Everything of every deploy but when it was last changed here, and by which key."""
    found = read_once(
        path, lambda connection: list(find_all_deploys(connection, project_id, hidden=True))
    )
    return [
        {
            name: getattr(one.deploy, name)
            for name in one.deploy.__struct_fields__
            if name not in ("updated_at", "key_id", "project_id")
        }
        | {"commits": one.commits}
        for one in found
    ]


@pytest.fixture
def shop(miniapm: Command) -> Command:
    fill(miniapm.home / "miniapm.db")
    return miniapm


def test_ndjson_comes_back_field_for_field(shop: Command, make_database: Any) -> None:
    done = shop("deploys", "export", "--hidden")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == [
        "11",
        "12",
        "15",
        "13",
        "14",
    ]
    (shop.home / "all.ndjson").write_text(done.out)
    make_database(shop.home / "new.db")
    for expected in ("5 new, 0 already", "0 new, 5 already"):
        imported = shop("deploys", "import", "all.ndjson", "--db", "new.db")
        assert (imported.code, expected in imported.out) == (0, True)
        assert read(shop.home / "new.db") == read(shop.home / "miniapm.db")
    assert "0 new, 5 already" in shop("deploys", "import", "all.ndjson").out


def test_csv_comes_back_but_for_commits(shop: Command, make_database: Any) -> None:
    done = shop("deploys", "export", "--hidden", "--format", "csv", "--output", "all.csv")
    assert (done.code, "5 deploys are in" in done.err) == (0, True)
    with (shop.home / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["title"], rows[0]["tags"], rows[0]["deployer"]) == ("'=SUM(A1)", "a,b", "älice")
    make_database(shop.home / "new.db")
    assert shop("deploys", "import", "all.csv", "--db", "new.db").code == 0
    expected = [one | {"commits": ()} for one in read(shop.home / "miniapm.db")]
    assert read(shop.home / "new.db") == expected


def test_into_another_project_the_copies_get_ids_of_their_own(shop: Command) -> None:
    path = shop.home / "miniapm.db"
    write_once(path, insert_project, Project(2, "other", "Other", START))
    shop("deploys", "export", "--hidden", "--output", "all.ndjson")
    for expected in ("5 new, 0 already", "0 new, 5 already"):
        done = shop("deploys", "import", "all.ndjson", "--project", "other")
        assert expected in done.out
    ours, theirs = read(path), read(path, 2)
    assert not {one["id"] for one in ours} & {one["id"] for one in theirs}
    assert [one | {"id": 0} for one in ours] == [one | {"id": 0} for one in theirs]


def test_an_import_leaves_corrections_alone(shop: Command) -> None:
    shop("deploys", "export", "--output", "all.ndjson")
    shop("deploys", "edit", "11", "--failed")
    assert "already there" in shop("deploys", "import", "all.ndjson").out
    assert shop.rows("select status from deploys where id = 11") == [{"status": "failed"}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["11", "12", "15", "13"]),
        (["--since", "2025-10-09T09:00:00Z"], ["13"]),
        (["--until", "2025-10-09T09:00:00Z"], ["11", "12", "15"]),
    ],
)
def test_export_filters(shop: Command, arguments: list[str], expected: list[str]) -> None:
    done = shop("deploys", "export", *arguments)
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == expected


def test_a_file_is_replaced_only_when_asked(shop: Command) -> None:
    file = shop.home / "x.ndjson"
    file.write_text("mine")
    done = shop("deploys", "export", "--output", "x.ndjson")
    assert (done.code, file.read_text()) == (2, "mine")
    assert "add --yes" in done.err
    assert shop("deploys", "export", "--output", "x.ndjson", "--yes").code == 0
    assert len(file.read_text().splitlines()) == 4
    assert [one.name for one in shop.home.glob("x.*")] == ["x.ndjson"]
    assert shop("deploys", "export", "--output", "none/x").code == 3


def test_an_export_that_fails_leaves_no_half_file(shop: Command) -> None:
    assert shop("deploys", "export", "--output", "y", "--project", "nope").code == 2
    assert list(shop.home.glob("y*")) == []


def test_more_than_one_page_comes_once_and_in_order(miniapm: Command) -> None:
    path = miniapm.home / "miniapm.db"
    # many at the same moment, over the edge of a page
    fill(
        path,
        tuple(
            ExportedDeploy(make_deploy(id=i, deployed_at=START + i // 700)) for i in range(1, 1202)
        ),
    )
    done = miniapm("deploys", "export")
    assert [int(json.loads(line)["id"]) for line in done.out.splitlines()] == list(range(1, 1202))


texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)
lines = st.text(st.sampled_from("a=+-@'\",;\n\u00e9 "), min_size=1, max_size=8)


def _is_kept(text: str) -> bool:
    return text == text.strip() and bool(text)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(texts.filter(_is_kept), min_size=4, max_size=4),
    lines=lines.filter(_is_kept),
    file_format=st.sampled_from(["ndjson", "csv"]),
)
def test_any_text_comes_back(
    texts: list[str],
    lines: str,
    file_format: str,
    tmp_path_factory: pytest.TempPathFactory,
    make_database: Any,
) -> None:
    home = tmp_path_factory.mktemp("trip")
    old, new, file = home / "old.db", home / "new.db", home / "file"
    make_database(old)
    make_database(new)
    deployer, title, external_id, tag = texts
    deploy = make_deploy(
        deployer=deployer,
        title=title,
        external_id=external_id,
        description=lines,
        tags=(tag.replace(",", "-").strip() or "t",),
    )
    fill(old, (ExportedDeploy(deploy),))
    name = ["--format", file_format]
    assert run(["deploys", "export", *name, "--output", str(file), "--db", str(old)]) == 0
    assert run(["deploys", "import", str(file), *name, "--db", str(new)]) == 0
    assert read(new) == read(old)
