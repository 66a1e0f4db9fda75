"""What becomes of lines of an import that hold no deploy, whatever their format is."""

from typing import NamedTuple

from miniapm.exceptions import Invalid


class LeftOut(NamedTuple):
    """Something in a file that is no deploy, and why."""

    reason: str


def too_long() -> Invalid:
    """What is wrong with a line that was not kept."""
    return Invalid("The line is longer than 16 MiB.")
