"""A year of deploys made by hand, and beside each what it is in the delivery numbers.

Nothing here is worked out by the code under test: whoever doubts a number counts it in the table.
Times are those on the wall in Berlin: clocks go forward on 30 March 2025 at 02:00, back on 26
October at 03:00 (the second 02:30 of that night is written 02:30b). A commit is named with its age
at the deploy, in real time; shas are made from the names.

counts   yes, or why not
failed   why it counts as failed, or -
over     how long until a later deploy was fine again; open
rework   why it was unplanned work
waits    lead times of the commits that it was the first to bring, in their order
"""

import hashlib
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from miniapm.clock import DAY, HOUR, MINUTE, from_datetime

BERLIN = ZoneInfo("Europe/Berlin")

DEPLOYS = """
name when              to             sha commits     says              | counts    failed    over   rework   waits
W1   2025-01-06 09:00  web/production a1  a1:2h,a0:30d -                | yes       -         -      -        2h
W2   2025-01-08 10:00  web/staging    b1  b1:1h        -                | other-env -         -      -        -
W3   2025-01-08 15:00  web/production b1  b1:6h        -                | yes       -         -      -        6h
W4   2025-01-15 10:00  web/production c1  c1:1h        status=failed    | not-live  -         -      -        -
W5   2025-01-15 11:00  web/production c1  c1:2h,c2:3h  -                | yes       -         -      -        2h,3h
W6   2025-01-15 16:00  web/production c1  c1:7h        -                | redeploy  -         -      -        -
A1   2025-01-20 12:00  api/production p1  p1:1d        -                | yes       -         -      -        1d
W7   2025-02-03 10:00  web/production d1  d1:4h        -                | yes       rollback  45m    -        4h
W8   2025-02-03 10:45  web/production c1  -            -                | yes       -         -      rollback -
W9   2025-02-04 09:00  web/production e1  e1:1h,d1:27h tag=is_fix       | yes       -         -      fix      1h
A2   2025-02-10 12:00  api/production q1  q1:2d        tag=sev1         | yes       tag       6h     -        2d
A3   2025-02-10 18:00  api/production q2  q2:1h        -                | yes       -         -      -        1h
W10  2025-03-29 23:30  web/production f1  f1:30m       -                | yes       -         -      -        30m
W11  2025-03-30 00:30  web/production g1  g1:20m       -                | yes       -         -      -        20m
W12  2025-03-30 04:00  web/production h1  h1:2h        title=Revert-all | yes       revert    20h10m -        2h
W13  2025-03-31 00:10  web/production i1  i1:10m       reverts=h1       | yes       -         -      revert   10m
W14  2025-04-01 00:30  web/production j1  j1:30m       -                | yes       -         -      -        30m
W15  2025-04-10 10:00  web/production k1  k1:1h        status=cancelled | not-live  -         -      -        -
W16  2025-04-11 10:00  web/production k2  k2:1h        status=started   | not-live  -         -      -        -
W17  2025-04-15 12:00  web/production l1  l1:2h        hidden           | hidden    -         -      -        -
A4   2025-06-02 10:00  api/production r1  -            regressed=provisional | yes  regressed 24h    -        -
A5   2025-06-03 10:00  api/production r2  r2:24h       regressed=final,dismissed | yes -      -      -        24h
A6   2025-06-04 10:00  api/production r3  r3:5h        regressed=final,overruled=ok | yes -   -      -        5h
A7   2025-06-05 10:00  api/production r4  r4:3h        overruled=failed | yes       overruled 24h    -        3h
A8   2025-06-06 10:00  api/production r5  r5:1h        regressed=withdrawn | yes    -         -      -        1h
W18  2025-07-01 10:00  web/production m1  m1:1h        -                | yes       fix       90m    -        1h
W19  2025-07-01 11:00  web/production m2  m2:15m       tag=is_fix       | yes       fix       30m    fix      15m
W20  2025-07-01 11:30  web/production m3  m3:10m       tag=is_fix       | yes       -         -      fix      10m
A9   2025-07-10 10:00  api/live       r5  r5:817h      -                | yes       -         -      -        -
W21  2025-08-04 10:00  web/production n1  n1:1h        -                | yes       -         -      -        1h
W22  2025-08-04 12:00  web/production n2  n2:1h        -                | yes       rollback  3h     -        1h
W23  2025-08-04 14:00  web/production n3  n3:1h        -                | yes       rollback  1h     -        1h
W24  2025-08-04 15:00  web/production n1  -            -                | yes       -         -      rollback -
W25  2025-08-05 10:00  web/production n3  n3:21h       -                | yes       -         -      -        -
W26  2025-09-01 10:00  web/production o1  o1:-1h,o3:2d -                | yes       -         -      -        2d
W27  2025-09-01 10:05  web/production o1  -            -                | repeat    -         -      -        -
A10  2025-09-15 10:00  api/production s1  s1:1h        tag=hotfix,title=Revert-it | yes -    -      -        1h
W28  2025-10-26 02:30  web/production t1  t1:30m       tag=is_failure   | yes       tag       1h     -        30m
W29  2025-10-26 02:30b web/production t2  t2:15m       -                | yes       -         -      -        15m
W30  2025-10-26 23:45  web/production t3  t3:45m       -                | yes       -         -      -        45m
W31  2025-11-03 10:00  web/production u1  u1:2h,u0:3h  reverts=u0       | yes       -         -      -        2h,3h
A11  2025-11-10 10:00  api/production v1  v1:1h        overruled=failed | yes       overruled open   -        1h
A12  2025-12-31 23:30  api/production v2  v2:30m       tag=is_failure   | yes       tag       open   -        30m
W32  2026-01-01 00:30  web/production x1  x1:1h        -                | yes       -         -      -        1h
"""  # noqa: E501 - a table

# counted by hand from the table: deploys, failed, rework; recoveries, still open, their median;
# commits, their median and the ninth of ten
MONTHS = """
month    deploys failed rework  recovered open median   commits median p90
2025-01  4       0      0       0         0    -        5       3h     1d
2025-02  5       2      2       2         0    3h22m30s 4       2h30m  2d
2025-03  4       1      1       1         0    20h10m   4       25m    2h
2025-04  1       0      0       0         0    -        1       30m    30m
2025-05  0       0      0       0         0    -        0       -      -
2025-06  5       2      0       2         0    24h      4       4h     24h
2025-07  4       2      2       2         0    1h       3       15m    1h
2025-08  5       2      1       2         0    2h       3       1h     1h
2025-09  2       0      0       0         0    -        2       24h30m 2d
2025-10  3       1      0       1         0    1h       3       30m    45m
2025-11  2       1      0       0         1    -        3       2h     3h
2025-12  1       1      0       0         1    -        1       30m    30m
all      36      12     6       10        2    2h15m    33      1h     24h
web      24      7      6       7         0    1h       23      1h     4h
api      12      5      0       3         2    24h      10      2h     24h
"""

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": MINUTE // 60}


class Line(NamedTuple):
    """A line of DEPLOYS."""

    name: str
    at: int
    service: str
    env: str
    sha: str
    commits: tuple[tuple[str, int], ...]
    says: tuple[str, ...]
    counts: str
    failed: str
    over: str
    rework: str
    waits: tuple[int, ...]

    def find(self, name: str) -> str:
        """What it says of `name`, as in `tag=is_fix`; "" for nothing."""
        return next((s.partition("=")[2] for s in self.says if s.startswith(f"{name}=")), "")


class Sums(NamedTuple):
    """A line of MONTHS; None where there is no data."""

    deploys: int
    failed: int
    rework: int
    recovered: int
    open: int
    recovery_us: int | None
    commits: int
    median_us: int | None
    p90_us: int | None


def name_sha(name: str) -> str:
    """The forty digits that the table calls `name`."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def read_duration(text: str) -> int:
    """`2h`, `20h10m`, `-1h` in µs."""
    sign, total, number = (-1 if text.startswith("-") else 1), 0, ""
    for letter in text.lstrip("-"):
        if letter in _UNITS:
            total, number = total + int(number) * _UNITS[letter], ""
        else:
            number += letter
    return sign * total


def read_wall(text: str) -> int:
    """The instant of a time on the wall in Berlin."""
    moment = datetime.fromisoformat(text.rstrip("b")).replace(tzinfo=BERLIN)
    return from_datetime(moment.replace(fold=int(text.endswith("b"))))


def read_deploys() -> list[Line]:
    return [_read_line(line) for line in DEPLOYS.strip().splitlines()[1:]]


def _read_line(line: str) -> Line:
    given, _, expected = line.partition("|")
    name, date, time, lane, sha, commits, says = given.split()
    counts, failed, over, rework, waits = expected.split()
    service, _, env = lane.partition("/")
    return Line(
        name,
        read_wall(f"{date} {time}"),
        service,
        env,
        name_sha(sha),
        tuple((name_sha(c), read_duration(age)) for c, age in _read_commits(commits)),
        tuple(says.split(",")),
        counts,
        failed,
        over,
        rework,
        tuple(sorted(read_duration(wait) for wait in waits.split(",") if wait != "-")),
    )


def _read_commits(text: str) -> list[tuple[str, str]]:
    if text == "-":
        return []
    return [(one.partition(":")[0], one.partition(":")[2]) for one in text.split(",")]


def read_sums() -> dict[str, Sums]:
    """By month, and of `all`, `web` and `api`."""
    found = {}
    for line in MONTHS.strip().splitlines()[1:]:
        name, *cells = line.split()
        counts = [int(cell) for cell in (*cells[:5], cells[6])]
        times = [None if c == "-" else read_duration(c) for c in (cells[5], *cells[7:])]
        recovery, median, p90 = times
        deploys, failed, rework, recovered, still_open, commits = counts
        found[name] = Sums(
            deploys, failed, rework, recovered, still_open, recovery, commits, median, p90
        )
    return found
