"""`miniapm deploys export`, and that its files come back whole."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.cli import run
from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.values import STATUSES, Commit
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.beside_api import settle
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
    # a person's word, and a commit that stands alone
    ExportedDeploy(
        make_deploy(id=16, git_sha="bb1", overruled="failed", deployed_at=START + 3),
        (Commit("bb1", START, "One", "bob", is_approximate=True),),
    ),
    ExportedDeploy(make_deploy(id=17, git_sha="bb2", overruled="ok", deployed_at=START + 4)),
    # beside the API only GitHub told of it
    ExportedDeploy(
        make_deploy(id=18, git_sha="bb3", sources=("github",), deployed_at=START + 2 * DAY)
    ),
    # what was hidden was told again
    ExportedDeploy(make_deploy(id=19, deployed_at=START + DAY)),
)


def fill(path: Path, deploys: Sequence[ExportedDeploy] = DEPLOYS) -> None:
    def insert(connection: Connection) -> None:
        for one in deploys:
            insert_row(connection, one.deploy)
            insert_commits(connection, one.deploy, one.commits)
            settle(connection, 1, one.deploy.service, one.deploy.env, START)

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
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["id"] for row in rows] == ["11", "12", "15", "16", "17", "13", "14", "19", "18"]
    assert [row["id"] for row in rows if row["is_left_out"]] == ["18"]
    assert [row["overruled"] for row in rows if row["overruled"]] == ["failed", "ok"]
    (shop.home / "all.ndjson").write_text(done.out)
    make_database(shop.home / "new.db")
    for expected in ("9 new, 0 already", "0 new, 9 already"):
        imported = shop("deploys", "import", "all.ndjson", "--db", "new.db")
        assert (imported.code, expected in imported.out) == (0, True)
        assert shop("deploys", "export", "--hidden", "--db", "new.db").out == done.out
        assert read(shop.home / "new.db") == read(shop.home / "miniapm.db")
    assert "0 new, 9 already" in shop("deploys", "import", "all.ndjson").out


def test_csv_comes_back_but_for_commits(shop: Command, make_database: Any) -> None:
    done = shop("deploys", "export", "--hidden", "--format", "csv", "--output", "all.csv")
    assert (done.code, "9 deploys are in" in done.err) == (0, True)
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
    for expected in ("9 new, 0 already", "0 new, 9 already"):
        done = shop("deploys", "import", "all.ndjson", "--project", "other")
        assert expected in done.out
    ours, theirs = read(path), read(path, 2)
    assert not {one["id"] for one in ours} & {one["id"] for one in theirs}
    assert [one | {"id": 0} for one in ours] == [one | {"id": 0} for one in theirs]


def test_an_import_leaves_corrections_alone(shop: Command) -> None:
    shop("deploys", "export", "--output", "all.ndjson")
    shop("deploys", "edit", "11", "--failed")
    assert "already there" in shop("deploys", "import", "all.ndjson").out
    assert shop.rows("select overruled from deploys where id = 11") == [{"overruled": "failed"}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["11", "12", "15", "16", "17", "13", "19", "18"]),
        (["--since", "2025-10-09T09:00:00Z"], ["13", "19", "18"]),
        (["--until", "2025-10-09T09:00:00Z"], ["11", "12", "15", "16", "17"]),
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
    assert len(file.read_text().splitlines()) == 8
    assert [one.name for one in shop.home.glob("x.*")] == ["x.ndjson"]
    done = shop("deploys", "export", "--output", "none/x")
    assert (done.code, done.err) == (3, "miniapm: No such file or directory: none/x.\n")


@pytest.mark.parametrize("until", ["2025-10-08", "2025-10-09"])
def test_an_export_of_no_time_is_refused(shop: Command, until: str) -> None:
    done = shop("deploys", "export", "--since", "2025-10-09", "--until", until, "-o", "x")
    assert (done.code, done.out) == (2, "")
    assert "--until: must be after --since" in done.err
    assert not (shop.home / "x").exists()


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


shas = st.text(st.sampled_from("0123456789abcdef"), min_size=7, max_size=12)
instants = st.integers(START, START + DAY)
commits = st.builds(
    Commit, shas, st.none() | instants, st.none() | st.just("Fix it"), is_approximate=st.booleans()
)


@st.composite
def histories(draw: st.DrawFn) -> list[ExportedDeploy]:
    """Deploys of two places as they may come to stand there, many of them alike."""
    found = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        at = draw(st.sampled_from([START, START + 1, START + HOUR]) | instants)
        status = draw(st.sampled_from(STATUSES))
        deploy = make_deploy(
            id=number,
            git_sha=draw(st.just("abc1234") | shas),
            env=draw(st.sampled_from(["production", "eu"])),
            version=draw(st.sampled_from([None, "v1"])),
            external_id=draw(st.sampled_from([None, f"run-{number}"])),
            status=status,
            deployed_at=at,
            started_at=at if status == "started" else draw(st.sampled_from([None, at - MINUTE])),
            recorded_at=draw(instants),
            hidden_at=draw(st.none() | instants),
            overruled=draw(st.sampled_from([None, "failed", "ok"])),
            sources=draw(st.sampled_from([("api",), ("github",), ("import",), ("github", "api")])),
            repository=draw(st.sampled_from([None, "git@github.com:acme/shop"])),
            tags=draw(st.sampled_from([(), ("is_fix",), ("b", "a")])),
        )
        told = draw(st.lists(commits, max_size=3, unique_by=lambda commit: commit.sha))
        found.append(ExportedDeploy(deploy, tuple(told)))
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_any_history_comes_back_byte_for_byte(
    history: list[ExportedDeploy], tmp_path_factory: pytest.TempPathFactory, make_database: Any
) -> None:
    home = tmp_path_factory.mktemp("trip")
    old, new = home / "old.db", home / "new.db"
    make_database(old)
    make_database(new)
    fill(old, history)
    for database in (old, new):
        file = database.with_suffix(".ndjson")
        name = ["--hidden", "--output", str(file), "--db", str(database)]
        assert run(["deploys", "export", *name]) == 0
        assert run(["deploys", "import", str(file), "--db", str(new)]) == 0
    assert new.with_suffix(".ndjson").read_bytes() == old.with_suffix(".ndjson").read_bytes()
    assert read(new) == read(old)
    assert len(read(new)) == len(history)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
