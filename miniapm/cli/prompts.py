"""Questions to the person at the terminal."""

import sys
from getpass import getpass

from miniapm.exceptions import Invalid


def confirm(question: str, *, yes: bool) -> None:
    """Returns when `yes` or when the person agrees; Invalid when it is refused.

    Where nobody can be asked, only `--yes` agrees.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid(f"{question} Nobody can be asked here: add --yes to agree.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Invalid("Nothing was changed.")


def ask_password(name: str) -> str:
    """A new password for `name`: asked for twice at a terminal, else the first line of stdin.

    Only that both agree is checked here.
    """
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise Invalid("No password came on stdin; write it there as one line.")
        return password
    password = getpass(f"Password for {name}: ", stream=sys.stderr)
    if getpass("The same again: ", stream=sys.stderr) != password:
        raise Invalid("The two passwords differ; nothing was changed.")
    return password
