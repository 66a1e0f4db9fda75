"""The log: one line per record on stderr, as text or JSON, whatever a sender wrote into it."""

import json
import logging
import sys
from typing import TextIO

from miniapm.clock import to_rfc3339
from miniapm.printable import escape_controls


def set_up_logging(level: str, form: str, stream: TextIO | None = None) -> None:
    """Logs what is at least as serious as `level` to stderr; `form` is `text` or `json`.

    The libraries below us speak from `warning` on.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("miniapm").setLevel(level.upper())
    logging.raiseExceptions = False  # a log that nobody reads is no reason to write more


class TextLines(logging.Formatter):
    """`2024-01-15T14:30:00.123456Z INFO miniapm.app: message`."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        trace = _traceback(self, record)
        return escape_controls(f"{text}\n{trace}" if trace else text)


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = _traceback(self, record)
        return json.dumps(fields | ({"exception": trace} if trace else {}))


def _time(record: logging.LogRecord) -> str:
    return to_rfc3339(round(record.created * 1_000_000))


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
