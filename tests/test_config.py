"""Settings: where they come from, and how a bad one is named."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from miniapm.config import Config, format_address
from miniapm.config.documents import render_example, render_table
from miniapm.config.fields import setting_fields
from miniapm.config.loading import LoadedConfig, load_config
from miniapm.exceptions import Invalid


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    text: str | None = None, flags: Mapping[str, object] | None = None, **environ: str
) -> LoadedConfig:
    if text is not None:
        Path("miniapm.toml").write_text(text, encoding="utf-8")
    return load_config(environ, flags=flags)


def origin(loaded: LoadedConfig, name: str) -> str:
    return next(one.origin for one in loaded.origins if one.name == name)


def test_the_defaults() -> None:
    loaded = load()
    assert loaded.config == Config()
    assert {one.origin for one in loaded.origins} == {"default"}
    assert [one.name for one in loaded.origins] == list(setting_fields())


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    text = "[server]\nport = 1\n"
    file = str(tmp_path / "miniapm.toml")
    loaded = load(text)
    assert (loaded.config.server.port, origin(loaded, "server.port")) == (1, file)
    loaded = load(text, MINIAPM_SERVER_PORT="2")
    assert loaded.config.server.port == 2
    assert origin(loaded, "server.port") == "environment MINIAPM_SERVER_PORT"
    loaded = load(text, {"server.port": 3, "server.host": None}, MINIAPM_SERVER_PORT="2")
    assert (loaded.config.server.port, origin(loaded, "server.port")) == (3, "flag --port")
    assert origin(loaded, "server.host") == "default"


def test_the_database_by_its_reserved_name(tmp_path: Path) -> None:
    loaded = load(MINIAPM_DB="a.db", MINIAPM_STORAGE_PATH="b.db")
    assert loaded.config.database_path == Path("a.db")
    assert origin(loaded, "storage.path") == "environment MINIAPM_DB"
    assert load(MINIAPM_DB="").config.storage.path == "miniapm.db"
    assert load(MINIAPM_DB="~/a.db").config.database_path == Path.home() / "a.db"


def test_the_other_reserved_names_are_no_settings() -> None:
    assert load(MINIAPM_URL="x", MINIAPM_API_KEY="y", OTHER="z").config == Config()
    assert load(MINIAPM_URL_FILE="x", MINIAPM_API_KEY_FILE="y").config == Config()


def test_a_named_file(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 7\n")
    assert load_config({"MINIAPM_CONFIG": str(other)}).config.server.port == 7
    assert load_config({"MINIAPM_CONFIG": "gone"}, file=other).config.server.port == 7
    for path in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(Invalid, match=str(path)):
            load_config({}, file=path)


def test_a_value_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "contact").write_text("ops@example.com\n")
    loaded = load(MINIAPM_SERVER_ADMIN_CONTACT_FILE=str(tmp_path / "contact"))
    assert loaded.config.server.admin_contact == "ops@example.com"
    assert origin(loaded, "server.admin_contact").endswith("MINIAPM_SERVER_ADMIN_CONTACT_FILE")
    with pytest.raises(Invalid, match=r"_FILE names 'gone', which cannot be read: No such file"):
        load(MINIAPM_SERVER_ADMIN_CONTACT_FILE="gone")
    with pytest.raises(Invalid, match="are both set; unset one of them"):
        load(MINIAPM_SERVER_PORT="1", MINIAPM_SERVER_PORT_FILE="contact")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sever]\nport = 1", "no section [sever] in {file}; did you mean [server]?"),
        ("[server]\nprot = 1", "no setting server.prot in {file}; did you mean server.port?"),
        ("[server]\nxyz = 1", "no setting server.xyz in {file}."),
        ("port = 1", "no setting port in {file}; did you mean port under [server]?"),
        ("prot = 1", "no setting prot in {file}; did you mean port under [server]?"),
        ("servr = 1", "no setting servr in {file}; did you mean the section [server]?"),
        ("foo = 1", "no setting foo in {file}."),
        ("server = 1", "server is a section: write [server]"),
        ("[server]\nport = '1'", "server.port in {file} is bad: must be a whole number; it is '1'"),
        ("[server]\nport = 65536", "must be a whole number <= 65535; it is 65536"),
        ("[server]\nport = -1", "must be a whole number >= 0"),
        ("[server]\nport = true", "must be a whole number"),
        ("[storage]\nread_seconds = nan", "read_seconds in {file} is bad"),
        ("[limits]\nbody_seconds = inf", "must be a number <= 3600"),
        ("[storage]\npath = ''", "storage.path in {file} is bad: must be text of length >= 1"),
        ("[log]\nlevel = 'loud'", "must be one of debug, info, warning, error; it is 'loud'"),
        ("[deploys]\ntimeout = 'soon'", "must be a number and a unit, such as 90d"),
        ("[deploys]\ntimeout = '0h'", "must be a number and a unit"),
        ("[server]\npublic_url = 'apm.example.com'", "must be an address such as https://"),
        ("[server]\npublic_url = 'https://'", "must be an address such as https://"),
        ("[server]\npublic_url = 'https://a:99999'", "must be an address such as https://"),
        ("[server]\npublic_url = 'https://a/b'", "must be scheme and host only"),
        ("[server]\npublic_url = 'https://me:pw@a'", "must be scheme and host only"),
        ("[server]\ntrusted_proxies = '10.0.0.0/8, me'", "'me' is none"),
        ("[server]\nhost = ''", "must be an address to listen on"),
        ("[server]\nhost = ['a', 'b']", "must be text; it is ['a', 'b']"),
        ("[delivery]\nfix_tags = ['a', 'b']", "must be one text, with commas between the names"),
        ("[delivery]\nproduction_environments = ' , '", "must name at least one"),
        ("[server\n", "{file} is not TOML: "),
        ("\ufffe[server]", "{file} is not TOML: "),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(text)
    assert expected.format(file=tmp_path / "miniapm.toml") in caught.value.message
    assert str(tmp_path / "miniapm.toml") in caught.value.message


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MINIAPM_SERVER_PRT", "1", "is no setting; did you mean MINIAPM_SERVER_PORT?"),
        ("MINIAPM_PORT", "1", "is no setting; did you mean MINIAPM_SERVER_PORT?"),
        ("MINIAPM_FOO", "1", "MINIAPM_FOO in the environment is no setting."),
        ("MINIAPM_DATABASE", "1", "MINIAPM_DATABASE in the environment is no setting"),
        ("MINIAPM_SERVER_PORT", "", "MINIAPM_SERVER_PORT is bad: must be a whole number"),
        ("MINIAPM_SERVER_PORT", "1.5", "must be a whole number; it is '1.5'"),
        ("MINIAPM_STORAGE_READ_SECONDS", "nan", "MINIAPM_STORAGE_READ_SECONDS is bad"),
        ("MINIAPM_LOG_FORMAT", "xml", "must be one of text, json"),
        ("MINIAPM_DELIVERY_PRODUCTION_ENVIRONMENTS", "", "ENVIRONMENTS is bad: must name at least"),
    ],
)
def test_a_bad_variable_is_named_with_the_reason(variable: str, value: str, expected: str) -> None:
    with pytest.raises(Invalid) as caught:
        load_config({variable: value})
    assert expected in caught.value.message


def test_values_are_put_in_order() -> None:
    loaded = load(
        MINIAPM_SERVER_PUBLIC_URL="https://apm.example.com:8443/", MINIAPM_STORAGE_READ_SECONDS="2"
    )
    assert loaded.config.server.public_url == "https://apm.example.com:8443"
    assert loaded.config.storage.read_seconds == 2.0
    assert load(MINIAPM_SERVER_TRUSTED_PROXIES="").config.server.trusted_proxies == ""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("apm.local", "http://apm.local:80"),
    ],
)
def test_the_address_to_show(host: str, expected: str) -> None:
    assert format_address(host, 80) == expected


def test_every_setting_is_documented() -> None:
    example, table = render_example(), render_table()
    for name, field in setting_fields().items():
        assert field.description, name
        assert f"# {name.split('.')[1]} = " in example
        assert f"| `{name}` | " in table
