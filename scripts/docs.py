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
from collections.abc import Callable
from pathlib import Path

from miniapm.cli import command_paths, run
from miniapm.config.documents import render_example, render_table

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = {
    "GitHub Actions": "github-actions.yml",
    "GitLab CI": "gitlab-ci.yml",
    "Capistrano, in `config/deploy.rb`": "capistrano.rb",
    "Kamal, as `.kamal/hooks/post-deploy`": "kamal-post-deploy.sh",
    "Heroku, in the release phase": "heroku.sh",
    "Python": "python.py",
    "Ruby, with the standard library alone": "ruby.rb",
}
LANGUAGES = {".yml": "yaml", ".rb": "ruby", ".sh": "sh", ".py": "python"}


def render_commands() -> str:
    """The help text of every command."""
    blocks = []
    for words in [(), *command_paths()]:
        heading = " ".join(("miniapm", *words))
        blocks.append(f"### {heading}\n\n```text\n{render_help(words)}```\n")
    return "\n".join(blocks)


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
    """The snippets of the settings page, with a host to replace."""
    blocks = []
    for title, name in SNIPPETS.items():
        text = (ROOT / "templates" / "snippets" / name).read_text(encoding="utf-8")
        blocks.append(f"**{title}**\n\n```{LANGUAGES[Path(name).suffix]}\n{text.rstrip()}\n```\n")
    return "\n".join(blocks)


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": render_commands,
    "hooks": render_hooks,
    "settings": render_table,
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
