"""Refused calls as pages tell them: under settings, and where no deploy is yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from miniapm.storage.refusals import Refusal

FIRST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A refused call, its body as text that can be shown."""

    refusal: Refusal
    key_name: str | None
    text: str
    is_cut: bool


def tell_refusal(refusal: Refusal, key_names: Mapping[int, str], *, cut: bool) -> RefusalRow:
    """`cut` shows the beginning of the body alone."""
    text = "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in refusal.body.decode("utf-8", "replace").replace("\r\n", "\n")
    )
    is_cut = cut and len(text) > FIRST_CHARACTERS
    name = key_names.get(refusal.key_id) if refusal.key_id is not None else None
    return RefusalRow(refusal, name, text[:FIRST_CHARACTERS] if is_cut else text, is_cut)
