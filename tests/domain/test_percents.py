"""Percent in one form."""

import re
from pathlib import Path

import pytest

from miniapm.domain.percents import tell_change, tell_share, tell_whole

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.124, "+12 %"),
        (-0.034, "\N{MINUS SIGN}3 %"),
        (0.004, "0 %"),
        (-0.004, "0 %"),
        (-0.0, "0 %"),
        (12.5, "+1,250 %"),
    ],
)
def test_a_change_in_words(share: float, words: str) -> None:
    assert tell_change(share) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"), (1, "100 %"), (0.000_001, "0.01 %"), (0.0012, "0.12 %"), (0.00996, "1.0 %"),
        (0.0333, "3.3 %"), (0.0996, "10 %"), (0.125, "12 %"),
    ],
)  # fmt: skip
def test_little_is_not_nothing(share: float, words: str) -> None:
    assert tell_share(share) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0.42, "42 %"), (-0.42, "42 %"), (-0.001, "0 %"), (12, "1,200 %")]
)
def test_how_much_has_no_sign(share: float, words: str) -> None:
    assert tell_whole(share) == words


def test_no_other_code_writes_percents() -> None:
    form = re.compile(r"\{[^{}]*%\}|\} ?%[\"' ]")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "miniapm").rglob("*.py"))
        if path.name != "percents.py"
        for line in path.read_text().splitlines()
        if form.search(line)
    ]
    assert found == []
