"""Secrets in text, found by the names that stand before them: `password=x`, `--token x`,
`"secret": ["x"]`, `<pin>x</pin>`; and by their shape, whatever their name."""

import re
from collections.abc import Callable, Iterable

from miniapm.domain.secret_objects import find_end, find_named_values

MASK = "[masked]"
_CLASS_ENDINGS = ("Error", "Exception", "Warning")
SIGN_IN_FLAGS = frozenset({"-u", "-U", "--user", "--proxy-user"})
_MOST_UNCLOSED = 20
_HEADERS = ("cookie", "authorization")

# Every pattern takes a time linear to the text: what repeats gives nothing back (`*+`, `++`).
# A name and, where one follows, what stands between it and its value: `a=`, `"a": `, `:a => `,
# `a%3D`. Names without a value are taken whole, else each of their letters would begin another.
_NAME = re.compile(
    r"""( (?: [\w.\-\[\]] | \\++u[0-9a-fA-F]{4}
            | %(?!20|2[2367cCfF]|3[aAbBdDfF]|7[bBdD])[0-9a-fA-F]{2} )++ )
        (?: (?:\\{0,6}["']|%22)? \s*+ (={1,3}>?|:=?(?!:)|%3[aAdD]) \s*+ )?
      | %[0-9a-fA-F]{2} | \\++""",
    re.VERBOSE,
)
_PLAIN = r"""[^\s"'&,;)\]}<>]"""
_VALUE = re.compile(
    rf"""(?: (\\++)(["']).*?(?:(?<!\\)\1\2|\Z)                # quoted within a quoted text
           | [a-zA-Z]{{0,2}}"(?:[^"\\]|\\.)*+"? | [a-zA-Z]{{0,2}}'(?:[^'\\]|\\.)*+'?
           | (?:(?i:basic|bearer|digest|token)\s++)? <?{_PLAIN} ) {_PLAIN}*+ """,
    re.VERBOSE | re.DOTALL,
)
_REST = re.compile(rf"{_PLAIN}*+")
_ENCODED_PARAMETER = re.compile(rf"(?:(?!%26){_PLAIN})*+")
_ENCODED_MEMBER = re.compile(rf"(?:%20)*+(?:%22)?(?:(?!%2[2cC]|%7[dD]){_PLAIN})*+")
_LITERAL = re.compile(r"""[a-zA-Z]{0,2}("(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?)""")
_REST_OF_LINE = re.compile(r"[^\r\n]*+")
_ANOTHER_PAIR = re.compile(
    r"""(?:"[^"\\\n]{0,200}+"|'[^'\\\n]{0,200}+'|[\w.\-]{1,200}+)[ \t]*+"""
    r"(?::(?=\s|\Z)|=(?![=\s]|\Z))"
)
_NEXT_ITEM = re.compile(
    r"""\\{0,6}["']\s*+,\s*+(?=[a-zA-Z]{0,2}\\{0,6}["']|\[masked\])
        # the name of what follows is no value
        (?!\\{0,6}["'][\w\ -]{0,80}+\\{0,6}["']\s*+(?::|=>))""",
    re.VERBOSE,
)
_NEXT_ARGUMENT = re.compile(r"""(?:\\{0,6}["']\s*+,\s*+|\s++)(?!-)""")
_ELEMENT = re.compile(r"<(?![!?/])([^\s<>/=]++)[^<>]*+>([^<]*+)(<\\{0,6}/)?")
_SIGN_IN = re.compile(
    r"""((?<![\w-])-(?:[uU]|-user|-proxy-user)(?:\\{0,6}["']\s*+,\s*+|\s++|=)\\{0,6}["']?
        (?!\d++:\d)[^\s:"'/=]{1,200}+:)[^\s"']++""",
    re.VERBOSE,
)
_USER_IN_ADDRESS = re.compile(r"""(://)(?:[^/\s"'@?#]*+@)++""")
_BEARER = re.compile(r"\b((?i:bearer|basic)\s++)[\w.~+/=-]{16,}+")
_OUR_KEY = re.compile(r"\bproj_\w+")

IsSecret = Callable[[str], bool]
# where the value of a pair ends; where it begins when there is none to mask
Finder = Callable[[str, re.Match[str]], int]


def mask_named(text: str, is_secret: IsSecret) -> str:
    """Text with the values masked of objects and elements that name them."""
    text = _replace(text, sorted(find_named_values(text, is_secret)))
    return _replace(text, _find_elements(text, is_secret)) if "<" in text else text


def mask_pairs(text: str, is_secret: IsSecret, find_value: Finder) -> str:
    """Text with the values masked that `find_value` finds behind names."""
    return _replace(text, _find_pairs(text, is_secret, find_value))


def mask_shapes(text: str) -> str:
    """Text without who signs in within an address or a command, and without keys."""
    if "://" in text:
        text = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", text)
    if "proj_" in text:
        text = _OUR_KEY.sub(MASK, text)
    if "-" in text:
        text = _SIGN_IN.sub(rf"\1{MASK}", text)
    return _BEARER.sub(rf"\1{MASK}", text)


def find_literal(text: str, pair: re.Match[str]) -> int:
    """The end of what is written out."""
    return _end(_LITERAL, text, pair.end()) if pair[2] else pair.end()


def find_parameter(text: str, pair: re.Match[str]) -> int:
    """The end of the value of a parameter in an address."""
    return _end(_VALUE, text, pair.end()) if pair[2] == "=" else pair.end()


def find_value(text: str, pair: re.Match[str]) -> int:
    """The end of the value, however it is written."""
    at, separator = pair.end(), pair[2]
    if separator.startswith("%"):
        if text.startswith(MASK, at):
            return at + len(MASK)
        encoded = _ENCODED_PARAMETER if separator in ("%3D", "%3d") else _ENCODED_MEMBER
        return _end(encoded, text, at)
    if "\n" in text[pair.end(2) : at] and _ANOTHER_PAIR.match(text, at):
        return at
    is_header = separator == ":" and pair[1].lower().endswith(_HEADERS)
    end = _find_written(text, at)
    is_quoted = text[at : at + 1] in ("", '"', "'", "\\")
    return max(end, _end(_REST_OF_LINE, text, at)) if is_header and not is_quoted else end


def _find_written(text: str, at: int) -> int:
    """The end of a word, of what is quoted, of a list or an object."""
    if text[at : at + 1] in ("[", "{"):
        return _end(_REST, text, find_end(text, at))
    return _end(_VALUE, text, at)


def _find_pairs(text: str, is_secret: IsSecret, find: Finder) -> Iterable[tuple[int, int]]:
    end = 0
    for word in _NAME.finditer(text):
        name, separator = word[1], word[2]
        if word.start() < end or name is None:
            continue
        if separator is None:
            start, until = _find_next(text, word, is_secret) if find is find_value else (0, 0)
        # `CardError: declined` is what happened, and no card
        elif (separator == ":" and name.endswith(_CLASS_ENDINGS)) or not is_secret(name):
            continue
        else:
            start, until = word.end(), find(text, word)
        if until > start:
            yield start, until
            end = until


def _find_next(text: str, word: re.Match[str], is_secret: IsSecret) -> tuple[int, int]:
    """The value of `--password x`, of `'--password', 'x'`, and of `'Cookie', 'x'`."""
    name = word[1]
    is_flag = name.startswith("-") and len(name) > 2
    if not (is_flag or name.lower().endswith(_HEADERS)):
        return 0, 0
    between = (_NEXT_ARGUMENT if is_flag else _NEXT_ITEM).match(text, word.end())
    if between is None or not is_secret(name):
        return 0, 0
    return between.end(), _find_written(text, between.end())


def _find_elements(text: str, is_secret: IsSecret) -> Iterable[tuple[int, int]]:
    end = 0
    unclosed: set[str] = set()
    for element in _ELEMENT.finditer(text):
        name, start = element[1], element.start(2)
        if start < end or not is_secret(name):
            continue
        end = element.end(2)
        if element[3] is None:
            is_searched = name not in unclosed and len(unclosed) < _MOST_UNCLOSED
            closing = text.find(f"/{name}", start) if is_searched else -1
            if closing < 0:
                # `<token>` may be a word in a sentence, or the beginning of what is cut
                unclosed.add(name)
                end = start if text[start : start + 1].isspace() else _find_written(text, start)
            else:
                end = text.rfind("<", start, closing)
        if end > start:
            yield start, end


def _replace(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """`spans` are in order; of two that overlap, the first holds the other."""
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        if start < done:
            continue
        value = text[start:end]
        kept = value[: len(value) - len(value.lstrip())]
        pieces += [text[done:start], kept, MASK if value.strip() else ""]
        done = start + len(value.rstrip()) if value.strip() else start + len(kept)
    return "".join([*pieces, text[done:]]) if pieces else text


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()
