"""Writes the parts of README.md and miniapm.toml.example that are made from the code.

In the README they stand between `<!-- begin NAME -->` and `<!-- end NAME -->`. With --check nothing
is written: exits 1 and names what is stale.
"""

import argparse
import contextlib
import io
import os
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from miniapm.cli import command_paths, run
from miniapm.config.documents import render_example, render_table
from miniapm.domain.receivers.commands import list_commands
from miniapm.domain.receivers.setup import NAMES, tell_setup
from miniapm.domain.receivers.values import KINDS, ReceiverTerms
from miniapm.web.snippets import (
    EXAMPLE_URL,
    Snippet,
    list_gate_snippets,
    list_snippets,
    write_telemetry_setup,
)

ROOT = Path(__file__).resolve().parent.parent
LOCAL_URL = "http://127.0.0.1:3000"


def render_commands() -> str:
    """The help text of every command, each folded away under its name."""
    return "\n".join(render_command(words) for words in [(), *command_paths()])


def render_command(words: tuple[str, ...]) -> str:
    name = " ".join(("miniapm", *words))
    opening = f"<details>\n<summary><code>{name}</code></summary>"
    return f"{opening}\n\n```text\n{render_help(words)}```\n\n</details>\n"


def render_help(words: tuple[str, ...]) -> str:
    """What `--help` prints, 100 columns wide."""
    out = io.StringIO()
    os.environ["COLUMNS"] = "102"  # the formatter keeps two columns free
    with contextlib.redirect_stdout(out):
        code = run([*words, "--help"])
    if code:
        raise SystemExit(f"miniapm {' '.join(words)} --help failed")
    return out.getvalue()


def render_hooks() -> str:
    """The snippets of the settings page, with a host and a key to replace."""
    return "\n".join(render_snippet(snippet) for snippet in list_snippets(EXAMPLE_URL, None))


def render_gates() -> str:
    """What stops a pipeline, with a host and an address to replace."""
    return "\n".join(render_snippet(snippet) for snippet in list_gate_snippets(EXAMPLE_URL, None))


def render_snippet(snippet: Snippet) -> str:
    setup = f"```sh\n{snippet.setup}\n```\n\n" if snippet.setup else ""
    code = f"```{snippet.language}\n{snippet.text.rstrip()}\n```\n"
    place = textwrap.fill(f"**{snippet.title}.** {snippet.place}", 100, break_on_hyphens=False)
    return f"{place}\n\n{setup}{code}"


def render_receivers() -> str:
    """The steps and commands that the settings page shows for a new receiver."""
    parts = []
    for kind in KINDS:
        steps = (
            textwrap.fill(f"{number}. {step}", 100, subsequent_indent="   ", break_on_hyphens=False)
            for number, step in enumerate(tell_setup(kind), 1)
        )
        commands = (
            f"\n{command.words}\n\n```sh\n{command.text}\n```"
            for command in list_commands(ReceiverTerms(kind=kind))
        )
        parts.append("\n".join((f"**{NAMES[kind]}**\n", *steps, *commands, "")))
    return "\n".join(parts)


def render_telemetry() -> str:
    """The environment that the settings page shows, for the server and the project of the start."""
    return f"```sh\n{write_telemetry_setup(LOCAL_URL, 'default')}\n```\n"


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": render_commands,
    "gates": render_gates,
    "hooks": render_hooks,
    "settings": render_table,
    "receivers": render_receivers,
    "telemetry": render_telemetry,
}


def render_readme(text: str) -> str:
    """The README with every generated part made anew."""
    for name, render in BLOCKS.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->\n)", re.DOTALL)
        parts = pattern.split(text)
        if len(parts) != 4:
            raise SystemExit(f"README.md needs one <!-- begin {name} --> with its end")
        text = "".join((parts[0], parts[1], f"\n{render()}\n", parts[2], parts[3]))
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell what is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the documents are")
    options = parser.parse_args()
    readme, example = options.root / "README.md", options.root / "miniapm.toml.example"
    wanted = {
        readme: render_readme(readme.read_text(encoding="utf-8")),
        example: render_example(),
    }
    stale = [path for path, text in wanted.items() if not has_text(path, text)]
    for path in stale:
        if options.check:
            print(f"{path.name} is stale: run scripts/docs.py", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if stale and options.check else 0


def has_text(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
