"""The log: one line per record, whoever wrote what is in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from miniapm.logs import set_up_logging

FORGED = "x\n2026-01-01T00:00:00Z ERROR miniapm.web: forged\r\x1b[2K\u2028\x85\ud800"


@pytest.fixture(autouse=True)
def _keep_logging() -> Iterator[None]:
    """The set-up is the process's: put back what was there."""
    root, ours = logging.getLogger(), logging.getLogger("miniapm")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    yield
    root.handlers[:], root.level, ours.level, logging.raiseExceptions = before


def lines(form: str, level: str = "info") -> list[str]:
    stream = io.StringIO()
    set_up_logging(level, form, stream)
    log = logging.getLogger("miniapm.web.test")
    log.info("hello %s", FORGED)
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("it failed")
    log.debug("quiet")
    logging.getLogger("uvicorn.error").info("chatter")
    logging.getLogger("uvicorn.error").warning("trouble")
    text = stream.getvalue()
    assert text.endswith("\n")
    assert {sign for sign in text if not sign.isprintable()} == {"\n"}
    return text.splitlines()


def test_text_is_one_line_a_record() -> None:
    info, error, warning = lines("text")
    time, rest = info.split(" ", 1)
    assert time.endswith("Z")
    assert rest == (
        "INFO miniapm.web.test: hello x\\n2026-01-01T00:00:00Z ERROR miniapm.web: "
        "forged\\r\\x1b[2K\\u2028\\x85\\ud800"
    )
    assert " ERROR miniapm.web.test: it failed\\nTraceback (most recent call last):" in error
    assert "ValueError: x\\n2026" in error
    assert warning.endswith(" WARNING uvicorn.error: trouble")


def test_json_is_one_object_a_record() -> None:
    info, error, warning = (json.loads(line) for line in lines("json"))
    assert (info["level"], info["logger"]) == ("info", "miniapm.web.test")
    assert info["message"] == f"hello {FORGED}"
    assert "exception" not in info
    assert error["message"] == "it failed"
    assert error["exception"].startswith("Traceback (most recent call last):")
    assert warning["logger"] == "uvicorn.error"


def test_the_level() -> None:
    assert len(lines("text", "debug")) == 4
    assert len(lines("text", "error")) == 2


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("no space left")


def test_a_log_that_cannot_be_written_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text", Broken())
    logging.getLogger("miniapm").info("lost")
    assert capsys.readouterr().err == ""
