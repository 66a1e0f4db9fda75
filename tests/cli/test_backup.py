"""`miniapm backup`."""

import json

from miniapm.storage.copies import check_copy
from tests.cli.conftest import Command


def test_it_prints_where_how_large_and_how_many(miniapm: Command) -> None:
    done = miniapm("backup", "copy.db", "--json")
    assert done.code == 0
    copy = check_copy(miniapm.home / "copy.db")
    told = json.loads(done.out)
    assert told["path"] == str(miniapm.home / "copy.db")
    assert told["size_bytes"] == copy.size_bytes
    assert told["rows"] == sum(copy.rows.values())
    assert (told["projects"], told["deploys"]) == (1, 0)
    assert str(miniapm.home / "other.db") in miniapm("backup", "other.db").out


def test_a_file_is_replaced_only_when_asked(miniapm: Command) -> None:
    (miniapm.home / "copy.db").write_text("mine")
    done = miniapm("backup", "copy.db")
    assert (done.code, done.out, "add --yes" in done.err) == (2, "", True)
    assert (miniapm.home / "copy.db").read_text() == "mine"
    assert miniapm("backup", "copy.db", "--yes").code == 0
    assert check_copy(miniapm.home / "copy.db").rows["projects"] == 1


def test_wrong_use(miniapm: Command) -> None:
    for path, code in ((".", 2), ("no/copy.db", 2), ("miniapm.db", 2)):
        done = miniapm("backup", path, "--yes")
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    done = miniapm("backup", "copy.db", "--db", "no.db")
    assert (done.code, str(miniapm.home / "no.db") in done.err) == (3, True)
    assert sorted(one.suffix for one in miniapm.home.glob("no*")) == []
