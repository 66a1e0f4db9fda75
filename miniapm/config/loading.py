"""Where settings come from: flag over environment over file over default.

The one place that reads any of them. An unknown name or a bad value stops the start.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from miniapm.config import Config
from miniapm.config.checks import check_setting
from miniapm.config.fields import setting_fields, variable_of
from miniapm.config.suggestions import (
    as_question,
    nearest_section,
    nearest_setting,
    nearest_under_section,
    nearest_variable,
)
from miniapm.exceptions import Invalid

# read elsewhere: the client's, then what is read before any setting
_CLIENT = ("MINIAPM_URL", "MINIAPM_URL_FILE", "MINIAPM_API_KEY", "MINIAPM_API_KEY_FILE")
RESERVED = (*_CLIENT, "MINIAPM_CONFIG", "MINIAPM_DB")
DEFAULT_FILE = "miniapm.toml"
_FLAGS = {"server.host": "--host", "server.port": "--port", "storage.path": "--db"}


class Origin(NamedTuple):
    """A setting's value, masked where it is a secret, and where it came from."""

    name: str
    shown: object
    origin: str


class LoadedConfig(NamedTuple):
    config: Config
    origins: list[Origin]


class _Given(NamedTuple):
    """A value as it was given; `loose` where numbers come as text."""

    value: object
    origin: str
    label: str
    loose: bool = False


def load_config(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> LoadedConfig:
    """The settings in force; Invalid names what is unknown or bad.

    `file` None means `MINIAPM_CONFIG`, else `miniapm.toml` in the working directory if it is there.
    `flags` are `section.name` to value; None is not given.
    """
    given: dict[str, _Given] = {}
    sections: dict[str, dict[str, Any]] = {}
    layers = _read_file(*_find_file(environ, file)), _read_environ(environ), _take_flags(flags)
    for layer in layers:
        for name, one in layer.items():
            section, _, key = name.partition(".")
            value = check_setting(name, one.value, where=one.label, loose=one.loose)
            sections.setdefault(section, {})[key] = value
        given |= layer
    config = msgspec.convert(sections, Config)
    return LoadedConfig(config, _list_origins(config, given))


def _find_file(environ: Mapping[str, str], file: Path | None) -> tuple[Path, bool]:
    """The settings file, and whether it has to be there."""
    if file is None and environ.get("MINIAPM_CONFIG"):
        file = Path(environ["MINIAPM_CONFIG"])
    return (Path(DEFAULT_FILE), False) if file is None else (file.expanduser(), True)


def _read_file(path: Path, required: bool) -> dict[str, _Given]:
    where = path.absolute()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise Invalid(
                f"There is no settings file {where}; `miniapm config --example` prints one."
            ) from None
        return {}
    except OSError as error:
        raise Invalid(f"The settings file {where} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The settings file {where} is not TOML: {error}.") from None
    found: dict[str, _Given] = {}
    for section, settings in content.items():
        for name, value in _read_section(where, section, settings):
            found[name] = _Given(value, str(where), f"{name} in {where}")
    return found


def _read_section(where: Path, section: str, settings: object) -> list[tuple[str, object]]:
    sections = Config.__struct_fields__
    if section not in sections:
        is_section = isinstance(settings, dict)
        what = f"no section [{section}]" if is_section else f"no setting {section}"
        near = nearest_section(section) if is_section else nearest_under_section(section)
        raise Invalid(f"There is {what} in {where}{as_question(near)}")
    if not isinstance(settings, dict):
        raise Invalid(f"{section} is a section: write [{section}] in {where}.")
    names = [f"{section}.{key}" for key in settings]
    known = setting_fields()
    for name in names:
        if name not in known:
            raise Invalid(
                f"There is no setting {name} in {where}{as_question(nearest_setting(name))}"
            )
    return list(zip(names, settings.values(), strict=True))


def _read_environ(environ: Mapping[str, str]) -> dict[str, _Given]:
    names = {variable_of(name): name for name in setting_fields()}
    found: dict[str, _Given] = {}
    for variable in sorted(environ):
        if not variable.startswith("MINIAPM_") or variable in RESERVED:
            continue
        bare, value = variable, environ[variable]
        if variable not in names and variable.endswith("_FILE"):
            bare = variable.removesuffix("_FILE")
        if bare not in names:
            near = nearest_variable(variable, [*names, *RESERVED])
            raise Invalid(f"{variable} in the environment is no setting{as_question(near)}")
        if bare != variable:
            if bare in environ:
                raise Invalid(f"{bare} and {variable} are both set; unset one of them.")
            value = _read_secret(variable, value)
        found[names[bare]] = _Given(value, f"environment {variable}", variable, loose=True)
    if environ.get("MINIAPM_DB"):
        path = environ["MINIAPM_DB"]
        found["storage.path"] = _Given(path, "environment MINIAPM_DB", "MINIAPM_DB")
    return found


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Invalid(f"{variable} names {path!r}, which cannot be read: {reason}.") from None


def _take_flags(flags: Mapping[str, object] | None) -> dict[str, _Given]:
    return {
        name: _Given(value, f"flag {_FLAGS[name]}", _FLAGS[name])
        for name, value in (flags or {}).items()
        if value is not None
    }


def _list_origins(config: Config, given: Mapping[str, _Given]) -> list[Origin]:
    listed = []
    for name, field in setting_fields().items():
        section, _, key = name.partition(".")
        value = getattr(getattr(config, section), key)
        shown = "********" if value and field.is_secret else value
        listed.append(Origin(name, shown, given[name].origin if name in given else "default"))
    return listed
