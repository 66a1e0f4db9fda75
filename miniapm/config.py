"""Settings: flag over environment over file over default; the one place that reads any of them.

Each section is a struct whose fields carry their own documentation; `miniapm.toml.example`, the
README and `miniapm config` are made from it. An unknown name or a bad value stops the start.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from miniapm.domain.durations import parse_duration
from miniapm.exceptions import Invalid

MIB = 1024 * 1024
RESERVED = ("MINIAPM_URL", "MINIAPM_API_KEY", "MINIAPM_CONFIG", "MINIAPM_DB")


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server is reached."""

    host: Annotated[str, Meta(description="Address to listen on; 0.0.0.0 for all")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    ] = 3000
    public_url: Annotated[
        str,
        Meta(
            description="The address that people and hooks use, such as https://apm.example.com; "
            "shown in snippets, and https here marks cookies Secure. Empty: as the request came in"
        ),
    ] = ""
    admin_contact: Annotated[
        str, Meta(description="Whom to ask when something fails; shown in error answers")
    ] = "the administrator of this server"
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are "
            "believed, separated by commas; empty for none"
        ),
    ] = "127.0.0.1, ::1"


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the data is and how it is read."""

    path: Annotated[
        str, Meta(min_length=1, description="The database file (also --db and MINIAPM_DB)")
    ] = "miniapm.db"
    readers: Annotated[
        int, Meta(ge=1, le=16, description="Connections that read for pages and the API")
    ] = 3
    read_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Longest time that the queries of one page may take")
    ] = 5.0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one caller may ask for."""

    deploy_body_bytes: Annotated[
        int, Meta(ge=1024, description="Largest body of a deploy or an API call")
    ] = MIB
    header_bytes: Annotated[
        int, Meta(ge=4096, description="Largest request line and headers together")
    ] = 32 * 1024
    header_count: Annotated[int, Meta(ge=20, description="Most header fields")] = 100
    header_seconds: Annotated[
        float, Meta(gt=0, description="Time for the headers of a request to arrive")
    ] = 10.0
    body_seconds: Annotated[
        float, Meta(gt=0, description="Time for the body of a request to arrive")
    ] = 30.0
    queue_bytes: Annotated[
        int, Meta(ge=MIB, description="Bytes accepted but not yet on disk; more gets 503")
    ] = 64 * MIB
    logins_per_minute: Annotated[
        int, Meta(ge=1, description="Sign-in attempts per address and minute")
    ] = 10


class Deploys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How deploys are judged."""

    timeout: Annotated[
        str,
        Meta(description="A started deploy without an end counts as timed out after this long"),
    ] = "1h"


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Annotated[
        Literal["text", "json"], Meta(description="json writes one object a line")
    ] = "text"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one run."""

    server: Server = msgspec.field(default_factory=Server)
    storage: Storage = msgspec.field(default_factory=Storage)
    limits: Limits = msgspec.field(default_factory=Limits)
    deploys: Deploys = msgspec.field(default_factory=Deploys)
    log: Log = msgspec.field(default_factory=Log)

    @property
    def deploy_timeout(self) -> int:
        """`deploys.timeout` in microseconds."""
        return parse_duration(self.deploys.timeout)

    @property
    def database_path(self) -> Path:
        return Path(self.storage.path)


class Origin(NamedTuple):
    """A setting's value and where it came from."""

    name: str
    value: object
    origin: str
    description: str


class LoadedConfig(NamedTuple):
    config: Config
    origins: list[Origin]


def load_config(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> LoadedConfig:
    """The settings in force; Invalid names what is unknown or bad.

    `file` None means `MINIAPM_CONFIG`, else `miniapm.toml` in the working directory if it is there.
    `flags` are `section.name` to value; None values are left out.
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    path = file or (Path(environ["MINIAPM_CONFIG"]) if environ.get("MINIAPM_CONFIG") else None)
    layers = [
        _read_file(path or Path("miniapm.toml"), required=path is not None),
        _read_environ(environ),
        ("flag", {name: v for name, v in (flags or {}).items() if v is not None}),
    ]
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = value
            origins[name] = origin
    sections: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = _convert(name, value, origins[name])
    config = msgspec.convert(sections, Config)
    return LoadedConfig(config, _list_origins(config, origins))


def setting_fields() -> dict[str, msgspec.structs.FieldInfo]:
    """Every setting by its name `section.name`, in the order of the documentation."""
    return {
        f"{section.name}.{field.name}": field
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }


def describe(field: msgspec.structs.FieldInfo) -> str:
    """The documentation that a setting's field carries."""
    metas = getattr(field.type, "__metadata__", ())
    text = next((m.description for m in metas if m.description), "")
    options = _options(field)
    if options:
        text = f"{text}: {options}" if text else f"One of {options}"
    return text


def _options(field: msgspec.structs.FieldInfo) -> str:
    inner = getattr(field.type, "__origin__", field.type)
    arguments = getattr(inner, "__args__", ()) or getattr(field.type, "__args__", ())
    literal = [a for a in arguments if isinstance(a, str)]
    return ", ".join(literal)


def render_example() -> str:
    """The text of `miniapm.toml.example`: every setting, its default, what it does."""
    lines = [
        "# miniapm.toml: every setting with its default. Uncomment what you change.",
        "# In the environment a setting is MINIAPM_<SECTION>_<NAME>, such as MINIAPM_SERVER_PORT;",
        "# with _FILE behind it, the value is read from the file named there.",
    ]
    for section in msgspec.structs.fields(Config):
        lines += ["", f"[{section.name}]  # {(section.type.__doc__ or '').strip()}"]
        for field in msgspec.structs.fields(section.type):
            lines += [f"# {describe(field)}", f"#{field.name} = {_toml(field.default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _read_file(path: Path, *, required: bool) -> tuple[str, dict[str, object]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise Invalid(f"There is no settings file {path.absolute()}.") from None
        return str(path), {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"The settings file {path.absolute()} cannot be read: {error}.") from None
    flat: dict[str, object] = {}
    for section, settings in content.items():
        if not isinstance(settings, dict):
            raise Invalid(f"{path}: {section} is no section; settings stand under [section].")
        if section not in Config.__struct_fields__:
            near = _nearest(section, list(Config.__struct_fields__))
            raise Invalid(f"{path}: there is no section [{section}]{near}.")
        for name, value in settings.items():
            _require_known(f"{section}.{name}", f"{path}: ")
            flat[f"{section}.{name}"] = value
    return str(path), flat


def _read_environ(environ: Mapping[str, str]) -> tuple[str, dict[str, object]]:
    names = {_variable(name): name for name in setting_fields()}
    found: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith("MINIAPM_") or variable in RESERVED:
            continue
        value = text
        bare = variable
        if variable not in names and variable.endswith("_FILE"):
            bare = variable.removesuffix("_FILE")
            value = _read_secret(variable, text)
        if bare not in names:
            near = _nearest(variable, [*names, *RESERVED])
            raise Invalid(f"{variable} in the environment is no setting{near}.")
        found[names[bare]] = value
    if environ.get("MINIAPM_DB"):
        found["storage.path"] = environ["MINIAPM_DB"]
    return "environment", found


def _variable(name: str) -> str:
    return "MINIAPM_" + name.replace(".", "_").upper()


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{variable} names {path}, which cannot be read: {error}.") from None


def _require_known(name: str, where: str) -> None:
    known = setting_fields()
    if name not in known:
        raise Invalid(f"{where}there is no setting {name}{_nearest(name, list(known))}.")


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}" if near else ""


def _convert(name: str, value: object, origin: str) -> object:
    _require_known(name, "")
    field = setting_fields()[name]
    loose = origin == "environment"
    try:
        converted: Any = msgspec.convert(value, field.type, strict=not loose)
        if name == "deploys.timeout":
            parse_duration(converted)
        if name == "server.public_url" and converted:
            converted = _check_public_url(converted)
    except (msgspec.ValidationError, ValueError) as error:
        shown = _variable(name) if loose else name
        reason = str(error).replace("`", "").replace("Expected", "expected")
        raise Invalid(f"The setting {shown} ({origin}) is bad: {reason}.") from None
    return converted


def _check_public_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("it begins with http:// or https://")
    return value.rstrip("/")


def _list_origins(config: Config, origins: Mapping[str, str]) -> list[Origin]:
    listed = []
    for name, field in setting_fields().items():
        section, _, key = name.partition(".")
        value = getattr(getattr(config, section), key)
        listed.append(Origin(name, value, origins.get(name, "default"), describe(field)))
    return listed
