"""What people type behind a flag or a command, read: instants, durations, ids."""

from miniapm.cli.options import bad_flag
from miniapm.domain.durations import parse_duration
from miniapm.domain.ids import parse_id
from miniapm.domain.instants import parse_instant_or_date


def read_instant(flag: str, text: str | None, now: int) -> int | None:
    """The instant that `text` names: a date, a date and time, Unix time, or how long ago (7d)."""
    if text is None:
        return None
    text = text.strip()
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant_or_date(text)
    except ValueError:
        raise bad_flag(
            flag,
            f"{text!r} is no time; write 2024-01-15, 2024-01-15T14:30:00Z, or 7d for a week ago",
        ) from None


def read_duration(flag: str, text: str) -> int:
    """Microseconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise bad_flag(flag, str(error)) from None


def read_overlap(text: str) -> int:
    """How long an old secret still counts beside the new one, in µs; 0: not at all."""
    return 0 if text.strip() in ("0", "0s") else read_duration("--overlap", text)


def read_id(noun: str, text: str) -> int:
    """The id of one of `noun`, such as deploys."""
    found = parse_id(text)
    if found is None:
        raise bad_flag("ID", f"{text!r} is no id; `miniapm {noun} list` shows them")
    return found
