"""Commits of the past: those of git's tags, and files of commits for deploys that came without."""

import json

from tests.cli.conftest import Command
from tests.client.git_repository import GitRepository

SHAS = [f"{number}" * 40 for number in range(1, 5)]
BROUGHT = """select d.git_sha, c.sha, c.is_approximate from deploy_commits c
    join deploys d on d.id = c.deploy_id order by d.deployed_at, c.sha"""


def write_history(miniapm: Command) -> None:
    """Deploys of the second and the fourth of four commits, and a file of these."""
    (miniapm.home / "deploys.ndjson").write_text(
        "".join(
            json.dumps({"git_sha": SHAS[n], "timestamp": f"2024-01-15T1{n}:30:00Z"}) + "\n"
            for n in (1, 3)
        )
    )
    lines = [{"sha": sha, "timestamp": f"2024-01-15T1{n}:00:00Z"} for n, sha in enumerate(SHAS)]
    (miniapm.home / "commits.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    assert miniapm("deploys", "import", "deploys.ndjson").code == 0


def test_commits_go_to_the_deploys_that_brought_them(miniapm: Command) -> None:
    write_history(miniapm)
    command = ("deploys", "import", "commits.ndjson", "--format", "commits")
    assert miniapm(*command, "--dry-run").out.startswith("Tried only, nothing is stored. 4 commits")
    assert miniapm.rows("select * from deploy_commits") == []
    assert miniapm.rows("select * from pushed_commits") == []
    told = json.loads(miniapm(*command, "--json").out)
    assert (told["new"], told["deploys_with_commits"]) == (4, 2)
    assert miniapm.rows(BROUGHT) == [
        {"git_sha": SHAS[1], "sha": SHAS[1], "is_approximate": 1},
        {"git_sha": SHAS[3], "sha": SHAS[2], "is_approximate": 0},
        {"git_sha": SHAS[3], "sha": SHAS[3], "is_approximate": 0},
    ]
    assert "0 new, 4 already there" in miniapm(*command).out
    assert len(miniapm.rows(BROUGHT)) == 3


def test_a_bad_commit_is_named_and_stops_none(miniapm: Command) -> None:
    write_history(miniapm)
    with (miniapm.home / "commits.ndjson").open("a") as file:
        file.write('{"sha": "abc", "timestamp": "yesterday"}\nno\n')
    done = miniapm("deploys", "import", "commits.ndjson", "--format", "commits")
    assert done.code == 2
    fifth, sixth, _ = done.out.splitlines()
    assert fifth.startswith("line 5: refused: ")
    assert sixth.startswith("line 6: refused: ")
    assert "2 lines were refused" in done.err
    assert len(miniapm.rows("select sha from pushed_commits")) == 4


def test_tags_bring_the_commits_since_the_tag_before(miniapm: Command) -> None:
    repository = GitRepository(miniapm.home / "shop")
    repository.commit("long ago")
    first = repository.commit("one")
    repository.git("tag", "v1")
    two, three = repository.commit("two"), repository.commit("three")
    repository.git("tag", "v2")
    assert "2 new" in miniapm("deploys", "import", "shop").out
    found = {(one["git_sha"], one["sha"], one["is_approximate"]) for one in miniapm.rows(BROUGHT)}
    assert found == {(first, first, 1), (three, two, 0), (three, three, 0)}
    assert "0 new, 2 already there" in miniapm("deploys", "import", "shop").out
