"""Files of deploys: every line becomes fields or a reason, whatever the bytes are."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.deploys import importing
from miniapm.domain.deploys.exported import ExportedDeploy, read_exported, to_exported
from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.importing import (
    Format,
    guess_format,
    parse_lines,
    read_deploy,
    read_lines,
)
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.sheets import COLUMNS, to_cells
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.exceptions import Invalid
from tests.factories import START, make_deploy

DEFAULTS = Defaults(1, "shop")
NOW = START + HOUR
LINE = b'{"git_sha": "abc1234", "timestamp": "2024-01-15T14:30:00Z"}'


def parse(file_format: Format, content: bytes) -> list[tuple[int, Any]]:
    """Number and fields of each line, or the message of what is wrong."""
    lines = read_lines(io.BytesIO(content).readline)
    return [(number, _tell(given)) for number, given in parse_lines(file_format, lines)]


def _tell(given: Any) -> Any:
    if isinstance(given, LeftOut):
        return given.reason
    return given.message if isinstance(given, Invalid) else dict(given)


def read(fields: dict[str, Any]) -> Announcement:
    found = read_deploy(fields, DEFAULTS, NOW)
    assert isinstance(found, Announcement)
    return found


def test_ndjson_takes_bom_crlf_and_blank_lines_and_names_bad_ones() -> None:
    content = b"\xef\xbb\xbf" + LINE + b"\r\n\r\n" + b"{no\n" + b"\xff\xfe\n" + b"[1]\n" + LINE
    good = {"git_sha": "abc1234", "timestamp": "2024-01-15T14:30:00Z"}
    found = parse("ndjson", content)
    assert [number for number, _ in found] == [1, 3, 4, 5, 6]
    assert (found[0][1], found[4][1]) == (good, good)
    assert "The line is not valid JSON" in found[1][1]
    assert "The line is not UTF-8" in found[2][1]
    assert found[3][1] == "The line must be a JSON object."


def test_a_giant_line_is_refused_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_LINE_BYTES", 100)
    for file_format, giant in (("ndjson", LINE + b" " * 1000), ("capistrano", b"x" * 1001)):
        found = parse(file_format, giant + b"\n\n" + b"y" * 250)  # type: ignore[arg-type]
        assert found == [(n, "The line is longer than 16 MiB.") for n in (1, 3)]
    rows = b"git_sha,title\n" + b"a," + b"x" * 500 + b"\nb,ok\n"
    found = parse("csv", rows)
    assert found == [(2, "The line is longer than 16 MiB."), (3, {"git_sha": "b", "title": "ok"})]
    # a line of exactly the limit is whole, with its end or without
    assert parse("ndjson", LINE.ljust(100) + b"\n" + LINE.ljust(100))[1][0] == 2
    assert all(isinstance(v, dict) for _, v in parse("ndjson", LINE.ljust(100) + b"\n" + LINE))


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "capistrano", "git-tags", "github"])
@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_lines(file_format: Format, content: bytes) -> None:
    assert [v for _, v in parse(file_format, content) if isinstance(v, dict)] == []


def test_csv_takes_quotes_line_breaks_and_other_delimiters() -> None:
    content = (
        b'\xef\xbb\xbfGit_SHA, timestamp ,title\r\nabc,2024-01-15T14:30:00Z,"a, ""b""\r\nc"\r\n'
        b"\r\n,,\r\ndef,1705329000,\r\n"
    )
    assert parse("csv", content) == [
        (2, {"git_sha": "abc", "timestamp": "2024-01-15T14:30:00Z", "title": 'a, "b"\nc'}),
        (6, {"git_sha": "def", "timestamp": "1705329000", "title": ""}),
    ]
    assert parse("csv", b"git_sha;tags\nabc;a,b\n") == [(2, {"git_sha": "abc", "tags": "a,b"})]
    assert parse("csv", b"git_sha\ttitle\nabc\tx\n") == [(2, {"git_sha": "abc", "title": "x"})]


def test_a_bad_row_of_csv_does_not_stop_the_next() -> None:
    content = (
        b'git_sha,title\nabc\na,b,c\n"x"y,z\nabc,\xff\n\x00,n\nok,fine\nabc,"never closed\nmore\n'
    )
    found = parse("csv", content)
    assert [number for number, _ in found] == [2, 3, 4, 5, 6, 7, 8]
    messages = [value for _, value in found]
    assert messages[0] == "The row has 1 values for 2 columns."
    assert messages[1] == "The row has 3 values for 2 columns."
    assert messages[2].startswith("The row cannot be read: ")
    assert messages[3] == "The row is not UTF-8; save the file as UTF-8."
    assert messages[5] == {"git_sha": "ok", "title": "fine"}
    assert "opened here is never closed; the 1 lines after it" in messages[6]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"sha,title", "one of them must be git_sha"),
        (b"git_sha,title,title", "names 'title' twice"),
        (b'git_sha,"x', "cannot be read"),
    ],
)
def test_csv_needs_a_header(header: bytes, expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        parse("csv", header + b"\nabc,x\n")


def test_capistrano_tells_deploys_and_rollbacks() -> None:
    content = (
        b"Branch main (at abc123) deployed as release 20240115143000 by alice\n"
        b"Branch fix (a) (at def456) deployed as release 20240116090000 by bob b\n"
        b"alice rolled back to release 20240115143000\n"
        b"alice rolled back to release 20240116090000\n"
        b"carol rolled back to release 20230101000000\n"
        b"Branch main (at 99) deployed as release 20241315143000 by alice\n"
        b"\xff\n"
        b"hello\n"
        b"Branch main (at ) deployed as release 20240117090000 by alice\r\n"
        b"Branch main (at abc124) deployed as release 20261121235731 by \n"
        b" rolled back to release 20261121235731\n"
    )
    found = parse("capistrano", content)
    told = [(v["git_sha"], v["deployer"], v["timestamp"]) for _, v in found[:4]]
    assert told == [
        ("abc123", "alice", "2024-01-15T14:30:00Z"),
        ("def456", "bob b", "2024-01-16T09:00:00Z"),
        ("abc123", "alice", "2024-01-16T09:00:01Z"),
        ("def456", "alice", "2024-01-16T09:00:02Z"),
    ]
    assert found[1][1]["description"] == "Branch fix (a), release 20240116090000."
    assert "does not log when" in found[2][1]["description"]
    assert "20230101000000 is deployed on no line before" in found[4][1]
    assert "20241315143000 is no date" in found[5][1]
    assert found[6][1] == "The line is not UTF-8."
    assert "neither a release nor a rollback" in found[7][1]
    with pytest.raises(Invalid) as refused:
        read(found[8][1])
    assert "git_sha" in refused.value.fields
    # Capistrano leaves the user empty where it cannot find out
    told = [(v["git_sha"], v["deployer"], v["timestamp"]) for _, v in found[9:]]
    assert told == [
        ("abc124", None, "2026-11-21T23:57:31Z"),
        ("abc124", None, "2026-11-21T23:57:32Z"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.jsonl", b"whatever", "ndjson"),
        ("x.CSV", b"{}", "csv"),
        ("/var/www/app/revisions.log", b"", "capistrano"),
        ("-", b"\n\n" + LINE, "ndjson"),
        ("-", b"\xef\xbb\xbftimestamp;GIT_SHA\n", "csv"),
        ("old", b"Branch a (at b) deployed as release 20240115143000 by c\n", "capistrano"),
        ("old", b"Branch a (at b) deployed as release 20240115143000 by \n", "capistrano"),
        ("old", b"c rolled back to release 20240115143000\n", "capistrano"),
        ("-", b"", "ndjson"),
        ("-", b'[{"url": "x", "statuses_url": "y"}]', "github"),
        ("-", b'{"sha": "x", "statuses_url": "y"}', "github"),
        ("deployments.json", b"[", "github"),
        ("-", b"v1\tabc\t\t2024-01-15T14:30:00Z\t\tOne", "git-tags"),
    ],
)
def test_the_format_is_guessed_without_losing_a_line(
    name: str, content: bytes, expected: str
) -> None:
    found, lines = guess_format(name, read_lines(io.BytesIO(content).readline))
    assert found == expected
    assert list(lines) == [line.rstrip(b"\r\n") for line in content.splitlines()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[{}]", "one JSON list"),
        (b"\xff\xfeg\x00i\x00", "UTF-16"),
        (b"hello", "cannot be told from its first line; name it with --format"),
    ],
)
def test_what_cannot_be_guessed_is_said(content: bytes, expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        guess_format("-", read_lines(io.BytesIO(content).readline))


def test_a_line_is_judged_as_a_call_would_be_but_needs_its_time() -> None:
    found = read({"git_sha": "abc", "deployed_at": "2000-01-01T00:00:00Z", "environment": "eu"})
    assert (found.source, found.env, found.service, found.at) == (
        "import",
        "eu",
        "shop",
        946_684_800_000_000,
    )
    for fields, bad in (
        ({"git_sha": "abc"}, {"timestamp"}),
        ({"git_sha": "", "env": "$ENV"}, {"git_sha", "env", "timestamp"}),
        ({"git_sha": "abc", "timestamp": "1999-01-01T00:00:00Z"}, {"timestamp"}),
        ({"git_sha": "abc", "timestamp": "x", "status": "timed_out"}, {"timestamp", "status"}),
        ({"git_sha": "abc", "started_at": "2024-01-15T14:30:00Z"}, {"timestamp"}),
    ):
        with pytest.raises(Invalid) as refused:
            read_deploy(fields, DEFAULTS, NOW)
        assert set(refused.value.fields) == bad
        assert "timestamp" in refused.value.message or len(bad) > 1


def test_a_start_needs_no_more_than_its_beginning() -> None:
    found = read({"git_sha": "abc", "status": "started", "started_at": "2024-01-15T14:30:00Z"})
    assert (found.status, found.at) == ("started", 1_705_329_000_000_000)


WHOLE = ExportedDeploy(
    make_deploy(
        id=77,
        version="v1",
        external_id="run-1",
        title="=1+1",
        description='\'=two\nlines, "quoted"',
        deployer="@alice",
        url="https://ci.example.com/1",
        repository="git@github.com:a/b",
        started_at=START - MINUTE,
        hidden_at=START + MINUTE,
        recorded_at=START + 1,
        updated_at=NOW,
        status="timed_out",
        overruled="ok",
        is_left_out=True,
        sources=("api", "github"),
        tags=("a", "-b"),
    ),
    (Commit("abc", is_approximate=True), Commit("def", START, "Fix\n\nit", "bob")),
)


def test_an_exported_deploy_comes_back_field_for_field() -> None:
    line = msgspec.json.decode(msgspec.json.encode(to_exported(WHOLE, "shop")))
    assert read_exported(line, DEFAULTS, NOW) == WHOLE


def test_a_sheet_gives_all_but_the_commits_and_no_formula() -> None:
    row = io.StringIO()
    csv.writer(row).writerows([COLUMNS, to_cells(to_exported(WHOLE, "shop"))])
    cells = dict(zip(COLUMNS, next(csv.reader([row.getvalue().split("\n", 1)[1]])), strict=False))
    assert (cells["title"], cells["deployer"]) == ("'=1+1", "'@alice")
    [(number, fields)] = parse("csv", row.getvalue().encode())
    assert number == 2
    assert read_exported(fields, DEFAULTS, NOW) == ExportedDeploy(WHOLE.deploy)


def test_an_export_of_before_there_were_some_fields_is_read() -> None:
    line = to_exported(WHOLE, "shop")
    del line["overruled"], line["is_left_out"], line["commits"][0]["approximate"]
    found = read_exported(line, DEFAULTS, NOW)
    assert (found.deploy.overruled, found.deploy.is_left_out) == (None, False)
    assert not found.commits[0].is_approximate


def test_only_the_mark_lets_a_line_say_what_no_sender_can() -> None:
    line = to_exported(WHOLE, "shop")
    del line["miniapm"]
    with pytest.raises(Invalid) as refused:
        read_deploy(line, DEFAULTS, NOW)
    assert set(refused.value.fields) == {"status", "commits[0]"}
    line |= {"status": "failed", "commits": None}
    announcement = read(line)
    assert announcement.source == "import"
    assert announcement.external_id == "77"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("miniapm", 2),
        ("miniapm", True),
        ("id", 77),
        ("id", "x"),
        ("id", "0"),
        ("recorded_at", "yesterday"),
        ("hidden_at", 17),
        ("hidden_at", "1999-01-01T00:00:00Z"),
        ("sources", ["api", "nobody"]),
        ("sources", 5),
        ("sources", [[]]),
        ("external_id", "x" * 201),
        ("external_id", "a\0b"),
        ("commits", [{"sha": ""}]),
        ("commits", [{"sha": "a", "message": "\ud800"}]),
        ("commits", [{"sha": "a", "timestamp": "x"}]),
        ("commits", "x"),
        ("commits", [{"sha": "a", "approximate": 1}]),
        ("overruled", "perhaps"),
        ("overruled", True),
        ("is_left_out", 1),
        ("is_left_out", "yes"),
        ("is_left_out", []),
        ("status", "gone"),
        ("git_sha", None),
        ("env", "a\nb"),
        ("timestamp", "x"),
    ],
)
def test_an_export_that_was_changed_is_judged_too(name: str, value: object) -> None:
    line = {**to_exported(WHOLE, "shop"), name: value}
    with pytest.raises(Invalid) as refused:
        read_exported(line, DEFAULTS, NOW)
    assert set(refused.value.fields) == {name}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
names = st.sampled_from([*COLUMNS, "commits", "environment", "deployed_at", "other"])
rows = st.lists(
    st.dictionaries(names, json_values | st.sampled_from(["abc", "1705329000", "1", "77"])),
    max_size=4,
)
log_lines = st.sampled_from(
    [
        b"Branch a (at b) deployed as release 20240115143000 by c",
        b"Branch a (at b) deployed as release 99999999999999 by c",
        b"x rolled back to release 20240115143000",
        b"git_sha,timestamp,title",
        b'"a',
        LINE,
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    lines: list[bytes] = []
    for fields in draw(rows):
        lines.append(json.dumps(fields).encode())
    lines += draw(st.lists(st.binary(max_size=30) | log_lines, max_size=6))
    ends = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    return ends.join(draw(st.permutations(lines)))


def _deploys(file_format: Format, content: bytes) -> Iterator[object]:
    lines = read_lines(io.BytesIO(content).readline)
    for _, fields in parse_lines(file_format, lines):
        if not isinstance(fields, LeftOut):
            yield fields if isinstance(fields, Invalid) else _judge(dict(fields))


def _judge(fields: dict[str, Any]) -> object:
    try:
        return read_deploy(fields, DEFAULTS, NOW)
    except Invalid as error:
        return error


@given(files(), st.sampled_from(["ndjson", "csv", "capistrano", "git-tags", "github"]))
def test_whatever_the_bytes_are_a_line_is_a_deploy_or_refused(
    content: bytes, file_format: Format
) -> None:
    try:
        for found in _deploys(file_format, content):
            assert isinstance(found, Announcement | ExportedDeploy | Invalid)
    except Invalid:
        assert file_format == "csv"


@given(rows, st.booleans())
def test_whatever_the_fields_are_they_are_a_deploy_or_refused(
    found: list[dict[str, Any]], marked: bool
) -> None:
    for fields in found:
        judged = _judge({**fields, "miniapm": 1} if marked else fields)
        assert not isinstance(judged, Invalid) or judged.fields
