"""Stack traces of six languages: which frame is whose, and what makes two errors the same."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.errors.fingerprints import fold, identify
from miniapm.domain.errors.frames import find_frames, find_own_lines, is_foreign, short_path
from tests.domain import stack_traces
from tests.domain.stack_traces import CULPRITS


def identity_of(text: str, name: str = "E", message: str = "m") -> str:
    return identify(name, message, tuple(text.splitlines())).fingerprint


@pytest.mark.parametrize("language", CULPRITS)
def test_the_innermost_own_frame(language: str) -> None:
    text, file, function, line = CULPRITS[language]
    own = [frame for frame in find_frames(text.splitlines()) if frame.is_own]
    assert (own[0].file, own[0].function, own[0].line) == (file, function, line)


@pytest.mark.parametrize("language", CULPRITS)
def test_what_is_the_librarys_does_not_count(language: str) -> None:
    text, *_ = CULPRITS[language]
    others = text
    for ours, theirs in (
        ("express", "koa"),
        ("framework/src", "core/src"),
        ("gin@v1", "gin@v2"),
        ("activerecord-7", "activerecord-8"),
        ("Invocable.", "Handler."),
    ):
        others = others.replace(ours, theirs)
    assert identity_of(others) == identity_of(text)
    assert identity_of(text.replace("art", "Basket")) != identity_of(text)


@pytest.mark.parametrize("language", CULPRITS)
def test_lines_and_addresses_do_not_count(language: str) -> None:
    text, *_ = CULPRITS[language]
    moved = re.sub(r"0x[0-9a-f]+", "0xdeadbeef", text)
    moved = re.sub(r"(line |[:(])\d+(?=[,):]|$|\s)", r"\g<1>77", moved, flags=re.MULTILINE)
    assert moved != text
    assert identity_of(moved) == identity_of(text)


def test_the_class_counts_and_the_message_does_not() -> None:
    text = stack_traces.RUBY
    assert identity_of(text, name="A") != identity_of(text, name="B")
    assert identity_of(text, message="a") == identity_of(text, message="b")


def test_without_a_frame_the_folded_message_counts() -> None:
    assert identity_of("", message="No user 17") == identity_of("", message="No user 18")
    assert identity_of("", message="No user 17") != identity_of("", message="No cart 17")
    assert identity_of("no frames here", message="a") == identity_of("", message="a")


def test_a_trace_of_libraries_alone_is_told_by_their_frames() -> None:
    text = "/usr/lib/ruby/json.rb:1:in `parse'"
    assert identify("E", "m", (text,)).culprit == "lib/ruby/json.rb in parse"
    assert identity_of(text) != identity_of(text.replace("parse", "dump"))


def test_a_bundles_hash_does_not_count() -> None:
    text = stack_traces.BROWSER
    assert identity_of(text.replace("4f9a1c22", "0b77aa31")) == identity_of(text)


def test_a_list_of_releases_does_not_count() -> None:
    old = "/srv/releases/20240115120000/app/cart.rb:1:in `total'"
    assert identity_of(old.replace("20240115120000", "20240116090000")) == identity_of(old)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("user 42", "user #"),
        ("at 0x7fffab12", "at #"),
        ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301!", "id #!"),
        ("sha deadbeef99 and decade", "sha # and decade"),
        ("Cannot read id of undefined", "Cannot read id of undefined"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("file", "foreign"),
    [
        ("/app/vendor/bundle/ruby/3.2.0/gems/rack/lib/rack.rb", True),
        ("/srv/venv/lib/python3.11/site-packages/x.py", True),
        ("<frozen importlib._bootstrap>", True),
        ("node:internal/modules/cjs/loader", True),
        ("C:\\app\\node_modules\\x\\index.js", True),
        ("/usr/src/app/cart.py", False),
        ("app/vendors/cart.rb", False),
        ("<string>", False),
    ],
)
def test_whose_a_file_is(file: str, foreign: bool) -> None:
    assert is_foreign(file) == foreign


def test_paths_are_told_by_their_ends() -> None:
    assert short_path("/srv/app/releases/1/app/models/cart.rb") == "app/models/cart.rb"
    assert short_path("app/cart.rb") == "app/cart.rb"
    assert short_path("C:\\src\\Shop\\Cart.cs?x") == "src/Shop/Cart.cs"


def test_own_lines_have_their_source_and_their_call() -> None:
    python = stack_traces.PYTHON.splitlines()
    assert sorted(find_own_lines(python)) == [1, 2]
    go = stack_traces.GO.splitlines()
    assert {go[n].strip().split("(0x")[0] for n in find_own_lines(go)} == {
        "main.(*Cart).Total",
        "/app/cart.go:42 +0x1d",
    }


def test_a_trace_may_end_with_a_frame() -> None:
    assert find_own_lines(('  File "/app/cart.py", line 1, in f',)) == {0}
    assert find_own_lines(("\t/app/cart.go:42 +0x1d",)) == {0}


def test_words_with_colons_are_no_frames() -> None:
    assert find_frames(["at 10:30 it failed", "Error: code:7", "see a b:7", "x:1"]) == []


@given(st.lists(st.text(max_size=300), max_size=30))
def test_any_text_has_an_identity(lines: list[str]) -> None:
    backtrace = tuple(lines)
    found = identify("E", "m", backtrace)
    assert re.fullmatch("[0-9a-f]{16}", found.fingerprint)
    assert find_own_lines(backtrace) <= set(range(len(backtrace)))


@pytest.mark.parametrize(
    "line",
    [
        "at " + "a/" * 490,
        "at " + "a.(" * 320,
        ":1" * 490,
        "| + " * 240,
        "#1 " + "(" * 900,
        "a@" * 490,
    ],
)
def test_hostile_lines_are_read_in_linear_time(line: str) -> None:
    began = time.process_time()
    find_frames([f"{line}{number}" for number in range(400)])
    assert time.process_time() - began < 2


@pytest.mark.parametrize("line", ["at a" + "." * 980, "at " + "a." * 490, "at " + "a." * 490 + "("])
def test_dotted_names_are_read_in_linear_time(line: str) -> None:
    began = time.process_time()
    find_frames([f"{line}{number}" for number in range(400)])
    assert time.process_time() - began < 0.2


def test_equal_lines_are_read_once_and_found_at_each_place() -> None:
    line = '  File "/app/cart.py", line 1, in f'
    assert [frame.position for frame in find_frames([line, "x", line, line])] == [3, 2, 0]
    go = ["main.a()", "\t/app/a.go:1 +0x1", "main.b()", "\t/app/a.go:1 +0x1"]
    assert [frame.function for frame in find_frames(go)] == ["main.a", "main.b"]


def test_endless_lines_are_no_frames() -> None:
    assert find_frames(['  File "/app/cart.py", line 1, in f' + " " * 1_500]) == []


@pytest.mark.parametrize(
    "line", ["app/orders.py:41 in ship", "app/orders.py:41:in ship", "app/orders.py:41:in `ship'"]
)
def test_a_place_and_a_name_are_a_frame(line: str) -> None:
    assert identify("KeyError", "order alpha missing", (line,)).culprit == "app/orders.py in ship"
    other = identify("KeyError", "order beta missing", (line.replace("41", "52"),))
    assert other.fingerprint == identify("KeyError", "order alpha missing", (line,)).fingerprint
