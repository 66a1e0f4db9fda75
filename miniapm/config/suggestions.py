"""What somebody may have meant who wrote the name of no setting."""

from collections.abc import Sequence

from miniapm.config import Config
from miniapm.config.fields import setting_fields
from miniapm.domain.names import find_nearest

_PREFIX = "MINIAPM_"


def as_question(near: str | None) -> str:
    """The end of the sentence that says that a name is unknown."""
    return f"; did you mean {near}?" if near else "."


def nearest_section(name: str) -> str | None:
    near = find_nearest(name, Config.__struct_fields__, cutoff=0.6)
    return f"[{near}]" if near else None


def nearest_setting(name: str) -> str | None:
    """For a `section.name` of a section that there is."""
    wanted, _, key = name.partition(".")
    near = find_nearest(key, [key for section, key in _split_names() if section == wanted])
    return f"{wanted}.{near}" if near else None


def nearest_under_section(name: str) -> str | None:
    """For a setting that stands above every section."""
    near = find_nearest(name, {key for _, key in _split_names()}, cutoff=0.7)
    if near is None:
        section = nearest_section(name)
        return f"the section {section}" if section else None
    sections = [f"[{section}]" for section, key in _split_names() if key == near]
    return f"{near} under {' or '.join(sections)}"


def nearest_variable(name: str, known: Sequence[str]) -> str | None:
    """For a variable of the environment; that its section is missing is the usual mistake."""
    bare = name.removeprefix(_PREFIX)
    endings = [one for one in known if one.endswith(f"_{bare}")]
    if len(endings) == 1:
        return endings[0]
    # what every variable begins with makes none of them near
    near = find_nearest(bare, [one.removeprefix(_PREFIX) for one in known], cutoff=0.7)
    return _PREFIX + near if near else None


def _split_names() -> list[tuple[str, str]]:
    """Every setting's section, and its name there."""
    return [(section, key) for section, _, key in (n.partition(".") for n in setting_fields())]
