"""The settings one by one: name, type, default and documentation of each."""

from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from miniapm.config import Config


class SettingField(NamedTuple):
    """One setting. `options` are the values it can have, where they are few."""

    type: Any
    default: object
    description: str
    options: tuple[str, ...]
    is_secret: bool


def setting_fields() -> dict[str, SettingField]:
    """Every setting by its name `section.name`, in the order of the documentation."""
    return {
        f"{section.name}.{field.name}": _describe(field)
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }


def section_titles() -> dict[str, str]:
    """Every section with the sentence that says what it is about."""
    return {
        section.name: (section.type.__doc__ or "").strip()
        for section in msgspec.structs.fields(Config)
    }


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return "MINIAPM_" + name.replace(".", "_").upper()


def _describe(field: msgspec.structs.FieldInfo) -> SettingField:
    inner, *metas = get_args(field.type) if hasattr(field.type, "__metadata__") else (field.type,)
    options = tuple(map(str, get_args(inner))) if get_origin(inner) is Literal else ()
    text = next((meta.description for meta in metas if meta.description), "")
    extras = [meta.extra or {} for meta in metas]
    return SettingField(
        field.type, field.default, text, options, any(extra.get("secret") for extra in extras)
    )
