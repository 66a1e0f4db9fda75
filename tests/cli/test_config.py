"""`miniapm config`."""

import json
import tomllib

from miniapm.config.documents import render_example
from miniapm.config.fields import section_titles
from tests.cli.conftest import Command


def test_it_shows_every_setting_and_where_it_came_from(command: Command) -> None:
    (command.home / "miniapm.toml").write_text(
        '[server]\nport = 8080\nhost = "::1"\n[log]\nformat = "json"\n'
    )
    done = command("config", "--db", "x.db", "--json", MINIAPM_SERVER_PORT="9090")
    assert done.code == 0
    settings = {one["name"]: (one["value"], one["origin"]) for one in json.loads(done.out)}
    file = str(command.home / "miniapm.toml")
    assert settings["server.port"] == (9090, "environment MINIAPM_SERVER_PORT")
    assert settings["server.host"] == ("::1", file)
    assert settings["storage.path"] == ("x.db", "flag --db")
    assert settings["log.level"] == ("info", "default")
    table = command("config").out
    assert table.splitlines()[0].split() == ["SETTING", "VALUE", "FROM"]
    assert len(table.splitlines()) == len(settings) + 1


def test_it_needs_no_database(command: Command) -> None:
    assert command("config").code == 0
    assert list(command.home.iterdir()) == []


def test_the_example_is_a_settings_file_that_changes_nothing(command: Command) -> None:
    done = command("config", "--example")
    assert done.out == render_example()
    (command.home / "miniapm.toml").write_text(done.out)
    assert {one["origin"] for one in json.loads(command("config", "--json").out)} == {"default"}
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in done.out.splitlines()
    )
    assert set(tomllib.loads(uncommented)) == set(section_titles())
    (command.home / "miniapm.toml").write_text(uncommented)
    assert command("config").code == 0
