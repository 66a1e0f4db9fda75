"""Tables and JSON."""

import json

import pytest

from miniapm.cli.output import print_fields, print_rows

COLUMNS = {"id": "ID", "name": "NAME", "made_at": "MADE", "tags": "TAGS"}
ROWS: list[dict[str, object]] = [
    {"id": 2**62, "name": "short", "made_at": 1_700_000_000_000_000, "tags": [], "more": 1},
    {"id": 1, "name": "日本 und é", "made_at": None, "tags": ["a", "b"], "more": True},
]


def test_a_table_aligns_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "ID                   NAME        MADE                  TAGS",
        "4611686018427387904  short       2023-11-14T22:13:20Z  -",
        "1                    日本 und é  -                     a, b",
    ]


def test_json_has_every_field_with_ids_as_text_and_instants_in_utc(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(ROWS, COLUMNS, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {
            "id": "4611686018427387904",
            "name": "short",
            "made_at": "2023-11-14T22:13:20Z",
            "tags": [],
            "more": 1,
        },
        {"id": "1", "name": "日本 und é", "made_at": None, "tags": ["a", "b"], "more": True},
    ]


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], COLUMNS, as_json=False, empty="Nothing yet.")
    assert capsys.readouterr() == ("", "Nothing yet.\n")
    print_rows([], COLUMNS, as_json=True, empty="Nothing yet.")
    assert capsys.readouterr() == ("[]\n", "")


def test_what_a_sender_wrote_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"name": "a\x1b[2Jb\nc\x9b\u202ed\ud800"}], {"name": "NAME"}, as_json=False)
    assert capsys.readouterr().out == "NAME\na\\x1b[2Jb\\nc\\x9b\\u202ed\\ud800\n"


def test_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"id": 7, "live": False, "seen_at": 0}, as_json=False)
    assert capsys.readouterr().out == "id       7\nlive     no\nseen_at  1970-01-01T00:00:00Z\n"
    print_fields({"id": 7, "live": False}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"id": "7", "live": False}
