"""The settings as documents: the example file and the README's table."""

import msgspec

from miniapm.config.fields import SettingField, section_titles, setting_fields, variable_of


def render_example() -> str:
    """The text of `miniapm.toml.example`: every setting, its default, what it does."""
    lines = [
        "# miniapm.toml: every setting with its default. Uncomment what you change.",
        "# In the environment a setting is MINIAPM_<SECTION>_<NAME>, such as MINIAPM_SERVER_PORT;",
        "# with _FILE behind it, the value is read from the file named there.",
    ]
    for section, title in section_titles().items():
        lines += ["", f"# {title}", f"[{section}]"]
        for name, field in setting_fields().items():
            if name.startswith(f"{section}."):
                lines += [f"# {_sentence(field)}", f"# {name.split('.')[1]} = {_toml(field)}"]
    return "\n".join(lines) + "\n"


def render_table() -> str:
    """A Markdown table of every setting."""
    lines = ["| setting | environment | default | what it is |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | `{variable_of(name)}` | `{_toml(field)}` | {_sentence(field)} |"
        for name, field in setting_fields().items()
    ]
    return "\n".join(lines) + "\n"


def _sentence(field: SettingField) -> str:
    options = f": {', '.join(field.options)}" if field.options else ""
    return f"{field.description}{options}."


def _toml(field: SettingField) -> str:
    # a JSON string or number is one in TOML, too
    return msgspec.json.encode(field.default).decode()
