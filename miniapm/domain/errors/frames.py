"""Stack traces as Python, Ruby, JavaScript, Java, .NET, Go and PHP print them: which line is which
frame, and whether it is the application's own code."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Frame(NamedTuple):
    """A place in a stack trace. `position` is its line there; `line` is 0 where unknown."""

    position: int
    file: str
    function: str
    line: int
    is_own: bool

    @property
    def place(self) -> str:
        """How a person names it: `app/cart.py in total`."""
        file = short_path(self.file)
        return f"{file} in {self.function}" if self.function else file


_Reader = Callable[[Sequence[str], int, str], Frame | None]
_Settler = Callable[[list[Frame]], list[Frame]]

_LONGEST_LINE = 1_500
_PYTHON = re.compile(r'[\s|+]*File "([^"]{1,1000})", line (\d{1,9})(?:, in (.{1,300}))?')
# What repeats in these three gives nothing back: names of hundreds of dots must not be tried at
# every one of them.
_JAVA = re.compile(
    r"\s*+at (?:[\w.@-]*+/){0,2}+([\w$.<>/]{3,600}+)"
    r"\(([\w$.-]{1,200}\.(?:java|kt|scala|groovy|clj)(?::(\d{1,9}))?|Native Method|Unknown Source"
    r"|<generated>)\)"
)
_DOTNET = re.compile(
    r"\s*+at ([\w.`<>+|\[\]]{3,600}+)\([^)]{0,1000}+\)(?: in (.{1,500}):line (\d{1,9}))?\s*+"
)
_NODE = re.compile(
    r"\s*+at (?:async )?(?:(?:new )?([^()\s]{1,300}+(?: \[as [^\]]{1,100}+\])?) )?"
    r"\(?([/\w.@<~-][^()\s]{0,1000}+)\)?\s*+"
)
_NODE_POSITION = re.compile(r"(?::(\d{1,9}))?(?::\d{1,9})?\Z")
_FIREFOX = re.compile(
    r"\s*([^@\s]{0,300})@((?:https?|file|webpack\S{0,20})://\S{1,1000}?):(\d{1,9}):\d{1,9}"
)
_PHP = re.compile(r"\s*#\d{1,5} (.{1,1000}?)\((\d{1,9})\): (.{1,500})")
_GO = re.compile(r"\s+(\S{1,1000}\.(?:go|s)):(\d{1,9})(?: \+0x[0-9a-f]{1,16})?\s*")
_GO_CALL = re.compile(
    r"(?:created by )?([^\s(][^\s]{0,300}?)(?:\([^()]{0,1000}\)|\(\.\.\.\))?"
    r"(?: in goroutine \d{1,9})?"
)
_RUBY = re.compile(
    r"\s*(?:from )?((?:[A-Za-z]:)?[^:\s][^:]{0,1000}):(\d{1,9})"
    r"(?::in [`']([^']{1,300})'|[: ]in (.{1,300})|$|:(?=\D))"
)

_FOREIGN_PATH = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages|node_modules|bower_components|vendor|gems|"
    r"rubygems|\.venv|\.bundle|pkg[/\\]mod|webpack[/\\]bootstrap)(?:[/\\]|$)"
    r"|^/usr/(?:local/)?lib/|^/usr/(?:local/)?go/|/go/src/(?:runtime|net/http)/|/lib/python\d"
    r"|/lib/ruby/|^<(?!stdin|string|ipython)|^node:|^internal/|^native\b|^\[",
    re.IGNORECASE,
)
_FOREIGN_PACKAGE = re.compile(
    r"(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy|clojure|android|androidx|"
    r"dalvik|akka|play|reactor|rx|io\.(?:netty|reactivex|undertow|quarkus|micrometer|vertx|"
    r"opentelemetry)|org\.(?:springframework|apache|hibernate|eclipse|jboss|junit|postgresql|"
    r"codehaus|slf4j)|com\.(?:zaxxer|mysql|fasterxml|google\.common)|net\.bytebuddy|"
    r"System|Microsoft)\."
)
_GO_RUNTIME = re.compile(r"(?:runtime|panic|reflect|testing|net/http|runtime/debug)(?:[.(]|$)")


def find_frames(lines: Sequence[str]) -> list[Frame]:
    """The frames in the lines of a stack trace, innermost first.

    Where several exceptions are chained, those of the one that was reported come first.
    """
    for read, settle in _LANGUAGES:
        frames = list(_read_all(read, lines))
        if frames:
            return settle(frames)
    return []


def _read_all(read: _Reader, lines: Sequence[str]) -> Iterator[Frame]:
    """Each different line is read once; Go tells the function of a frame in the line above it."""
    known: dict[tuple[str, str], Frame | None] = {}
    above = ""
    for position, line in enumerate(lines):
        if (above, line) not in known:
            is_read = len(line) <= _LONGEST_LINE
            known[above, line] = read(lines, position, line) if is_read else None
        frame = known[above, line]
        if frame is not None:
            yield frame._replace(position=position)
        above = line


def _read_python(lines: Sequence[str], position: int, line: str) -> Frame | None:
    match = _PYTHON.match(line)
    return match and _make(position, match[1], (match[3] or "").strip(), match[2])


def _read_at(lines: Sequence[str], position: int, line: str) -> Frame | None:
    """Java, JavaScript and .NET all begin with `at`."""
    if not line.lstrip().startswith("at "):
        return None
    has_call = "(" in line
    if has_call and (match := _JAVA.match(line)):
        holder, dot, method = match[1].rpartition(".")
        if dot and holder and method and "/" not in method:
            is_own = not _FOREIGN_PACKAGE.match(match[1])
            return _make(position, holder, method, match[3], is_own)
    if match := _NODE.fullmatch(line):
        file, number = _split_position(match[2])
        if number is not None or file in ("<anonymous>", "native"):
            return _make(position, file, match[1] or "", number)
    if has_call and (match := _DOTNET.fullmatch(line)) and _has_method(match[1]):
        is_own = not _FOREIGN_PACKAGE.match(match[1])
        return _make(position, match[2] or match[1], match[1], match[3], is_own)
    return None


def _has_method(name: str) -> bool:
    """Whether the dotted `name` of .NET ends with that of a method."""
    holder_end = max(map(name.rfind, "+[]"))
    dot = name.find(".", max(holder_end + 1, 1))
    return 0 < dot < len(name) - 1 and "|" not in name[:dot]


def _split_position(place: str) -> tuple[str, str | None]:
    """`cart.js:7:12` as the file and its line."""
    ending = _NODE_POSITION.search(place, 1) if place[-1].isdigit() else None
    return (place[: ending.start()], ending[1]) if ending else (place, None)


def _read_php(lines: Sequence[str], position: int, line: str) -> Frame | None:
    match = _PHP.match(line)
    return match and _make(position, match[1], match[3].partition("(")[0], match[2])


def _read_go(lines: Sequence[str], position: int, line: str) -> Frame | None:
    match = _GO.fullmatch(line)
    if match is None:
        return None
    call = _GO_CALL.fullmatch(lines[position - 1].strip()) if position else None
    function = call[1] if call else ""
    return _make(position, match[1], function, match[2], _GO_RUNTIME.match(function) is None)


def _read_firefox(lines: Sequence[str], position: int, line: str) -> Frame | None:
    match = _FIREFOX.match(line)
    return match and _make(position, match[2], match[1], match[3])


def _read_ruby(lines: Sequence[str], position: int, line: str) -> Frame | None:
    match = _RUBY.match(line)
    # a path, and no sentence with a number behind a colon
    if match is None or not re.search(r"^<|[./\\]", match[1]) or re.search(r"\s\S*$", match[1]):
        return None
    return _make(position, match[1], (match[3] or match[4] or "").strip(), match[2])


def _as_printed(frames: list[Frame]) -> list[Frame]:
    return frames


def _from_the_end(frames: list[Frame]) -> list[Frame]:
    """Python prints the innermost frame last, and what was reported after its causes."""
    return frames[::-1]


def _after_panic(frames: list[Frame]) -> list[Frame]:
    """What stands above Go's `panic` is whoever recovered and printed."""
    starts = [n for n, f in enumerate(frames, 1) if f.function in ("panic", "runtime.gopanic")]
    return frames[starts[-1] :] if starts and starts[-1] < len(frames) else frames


_LANGUAGES: tuple[tuple[_Reader, _Settler], ...] = (
    (_read_python, _from_the_end),
    (_read_at, _as_printed),
    (_read_php, _as_printed),
    (_read_go, _after_panic),
    (_read_firefox, _as_printed),
    (_read_ruby, _as_printed),
)


def _make(position: int, file: str, function: str, line: str | None, is_own: bool = True) -> Frame:
    return Frame(position, file, function, int(line or 0), is_own and not is_foreign(file))


def is_foreign(file: str) -> bool:
    """Whether a path is a library's, the language's own, or no file at all."""
    return _FOREIGN_PATH.search(file) is not None


def short_path(file: str) -> str:
    """The end of a path: as much as tells a file from its namesakes."""
    path = file.replace("\\", "/").partition("?")[0]
    return "/".join(path.rsplit("/", 3)[-3:]) if path.count("/") > 2 else path


def find_own_lines(lines: Sequence[str]) -> frozenset[int]:
    """Which lines of a stack trace are the application's own frames, with the line of source that
    Python prints below a frame, and the call that Go prints above it."""
    own: set[int] = set()
    frames = find_frames(lines)
    places = {frame.position for frame in frames}
    for frame in frames:
        if not frame.is_own:
            continue
        at = frame.position
        own.add(at)
        below = lines[at + 1] if at + 1 < len(lines) and at + 1 not in places else ""
        if _PYTHON.match(lines[at]) is not None:
            if below.startswith("    "):
                own.add(at + 1)
        elif _GO.fullmatch(lines[at]) is not None and at:
            own.add(at - 1)
    return frozenset(own)
