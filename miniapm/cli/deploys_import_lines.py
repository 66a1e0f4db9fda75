"""From the lines of a file to stored deploys, a part after the other, whatever the format is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from miniapm import clock
from miniapm.cli.deploys_import_report import ImportReport
from miniapm.cli.deploys_import_write import open_write
from miniapm.config import Config
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.importing import GivenLine, read_deploy
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement, Source
from miniapm.domain.ids import IdMaker
from miniapm.domain.parts import cut_in_parts
from miniapm.exceptions import Busy, Invalid
from miniapm.storage.deploys.record import Recorded
from miniapm.storage.deploys.transfer import Copies, record_lines

_A_TRANSACTION = 500
# files from spreadsheets are often the newest first: so many lines are put into order
_AT_ONCE = 10 * _A_TRANSACTION

Read = Announcement | ExportedDeploy
NotRead = Invalid | LeftOut
Store = Callable[[Sequence[Read]], list[Recorded]]


@contextmanager
def open_store(settings: Config, project_id: int, now: int, *, dry_run: bool) -> Iterator[Store]:
    make_id, timeout, copies = IdMaker(clock.now), settings.deploy_timeout, Copies()
    with open_write(settings.database_path, project_id, now, dry_run=dry_run) as write:
        yield lambda lines: write(record_lines, lines, make_id, timeout, copies)


def import_lines(
    lines: Iterator[GivenLine],
    defaults: Defaults,
    now: int,
    store: Store,
    report: ImportReport,
    origin: Source = "import",
) -> None:
    while window := list(islice(lines, _AT_ONCE)):
        read = [_read(line, defaults, now, origin) for line in window]
        try:
            stored = _store_in_order(read, store)
        except Busy as error:
            report.finish()
            raise Busy(
                f"{error.message} The lines before {window[0].number} are stored; import the file "
                "again, they are recognised."
            ) from error
        for line, deploy, place in zip(window, read, stored, strict=True):
            report.add(line.number, deploy, place)


def _store_in_order(read: Sequence[Read | NotRead], store: Store) -> list[Recorded | None]:
    """Stores the oldest first, a few at a time: what a deploy is depends on those before it."""
    places: list[Recorded | None] = [None] * len(read)
    good = [(i, one) for i, one in enumerate(read) if not isinstance(one, NotRead)]
    good.sort(key=lambda pair: _happened_at(pair[1]))
    for part in cut_in_parts(good, _A_TRANSACTION):
        stored = store([one for _, one in part])
        for (index, _), place in zip(part, stored, strict=True):
            places[index] = place
    return places


def _happened_at(deploy: Read) -> int:
    return deploy.at if isinstance(deploy, Announcement) else deploy.deploy.deployed_at


def _read(line: GivenLine, defaults: Defaults, now: int, origin: Source) -> Read | NotRead:
    if isinstance(line.given, NotRead):
        return line.given
    try:
        return read_deploy(line.given, defaults, now, origin)
    except Invalid as error:
        return error
