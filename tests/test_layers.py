"""Imports point down only: cli -> app -> jobs, web -> storage -> domain -> exceptions, clock."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import miniapm

ROOT = Path(miniapm.__file__).parent

# what each part may import of miniapm, where everybody may know its version; the client is a leaf
LEAVES = {"exceptions", "clock"}
BELOW_STORAGE = LEAVES | {"domain", "printable"}
ALLOWED = {
    "exceptions": set(),
    "clock": set(),
    "printable": set(),
    "logs": {"clock", "printable"},
    "domain": LEAVES | {"domain", "printable"},
    "config": LEAVES | {"domain", "config"},
    "storage": BELOW_STORAGE | {"storage"},
    "web": BELOW_STORAGE | {"storage", "web", "config", "__init__"},
    "jobs": BELOW_STORAGE | {"storage"},
    "posting": LEAVES | {"domain"},
    "app": BELOW_STORAGE | {"storage", "web", "jobs", "config", "posting"},
    "cli": BELOW_STORAGE | {"client", "storage", "cli", "config", "app", "logs", "posting"},
    "__main__": {"cli"},
    "__init__": {"client"},
    "client": LEAVES | {"client"},
}
# who else's packages are allowed where; everything else may import what it likes
ONLY_IN = {
    "starlette": {"web", "app"},
    "jinja2": {"web"},
    "uvicorn": {"web", "app"},
    "httptools": {"web"},
    "uvloop": {"app", "cli"},
    "sqlite3": {"storage"},
    "aiosqlite": {"storage"},
    "argon2": {"storage"},
    "typer": {"cli"},
    # they draw the traffic of a bench
    "numpy": set(),
    "scipy": set(),
}
THIRD_PARTY = {*ONLY_IN, "msgspec"}
STANDARD_ONLY = {"exceptions", "clock", "printable", "logs", "client"}


class Import(NamedTuple):
    """`module` is imported by the part `part`, in the file `where`."""

    part: str
    module: str
    where: str

    @property
    def target(self) -> str | None:
        """The part of miniapm that is imported, if it is one."""
        package, _, rest = self.module.partition(".")
        return rest.split(".")[0] if package == "miniapm" and rest else None


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> Iterator[Import]:
    """Every import, those inside functions and `if TYPE_CHECKING` too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.relative_to(ROOT.parent)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(part_of(path), alias.name, where)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names if node.module == "miniapm" else [node.module or ""]:
                if name != "miniapm.__version__":
                    yield Import(part_of(path), name, where)


def all_imports() -> list[Import]:
    return [one for path in sources() for one in imports_of(path)]


def test_every_part_is_known() -> None:
    assert {part_of(path) for path in sources()} == set(ALLOWED)


def test_imports_point_down() -> None:
    wrong = [
        f"{one.where}: {one.part} must not import {one.module}"
        for one in all_imports()
        if one.target is not None and one.target not in ALLOWED[one.part]
    ]
    assert wrong == []


def test_foreign_packages_stay_where_they_belong() -> None:
    wrong = [
        f"{one.where}: {one.module} belongs into {sorted(ONLY_IN[package])}"
        for one in all_imports()
        if (package := one.module.split(".")[0]) in ONLY_IN and one.part not in ONLY_IN[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("part", sorted(STANDARD_ONLY))
def test_leaves_import_the_standard_library_alone(part: str) -> None:
    foreign = {one.module.split(".")[0] for one in all_imports() if one.part == part}
    assert foreign & THIRD_PARTY == set()


def test_the_domain_is_pure() -> None:
    """Standard library and msgspec; nothing awaits, opens a file or reads a clock."""
    wrong = []
    for path in sources():
        if part_of(path) != "domain":
            continue
        wrong += [
            f"{one.where}: imports {one.module}"
            for one in imports_of(path)
            if one.module.split(".")[0] in (set(ONLY_IN) | {"asyncio", "os", "socket", "logging"})
        ]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(ROOT.parent)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                wrong.append(f"{where}: awaits")
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in CLOCKS:
                wrong.append(f"{where}: calls {name}")
    assert wrong == []


CLOCKS = {
    f"{prefix}{name}"
    for prefix, names in {
        "time.": ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"),
        "datetime.": ("now", "utcnow", "today"),
        "datetime.datetime.": ("now", "utcnow", "today"),
        "clock.": ("now",),
        "": ("now", "time_ns", "open"),
    }.items()
    for name in names
}


def test_nothing_is_bound_to_the_real_clock_but_by_those_who_start_things() -> None:
    """Everyone else is handed a clock."""
    readers = {
        part_of(path)
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("clock.now", "real_clock.now")
    }
    assert readers <= {"app", "cli", "client"}
