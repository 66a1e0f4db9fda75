"""What became of each line of an import, printed as it is known: files may be long."""

import sys

import msgspec

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.values import Announcement
from miniapm.exceptions import Invalid
from miniapm.printable import escape_controls
from miniapm.storage.deploys.record import Recorded


class ImportReport:
    """Prints a line for each line, as text or as parts of one JSON object; counts them."""

    def __init__(self, *, as_json: bool, dry_run: bool) -> None:
        self._as_json = as_json
        self._dry_run = dry_run
        self._shows_progress = sys.stderr.isatty() and not sys.stdout.isatty()
        self.new = 0
        self.known = 0
        self.refused = 0

    @property
    def total(self) -> int:
        return self.new + self.known + self.refused

    def start(self, file_format: str) -> None:
        if self._as_json:
            dry_run = "true" if self._dry_run else "false"
            print(f'{{"format": "{file_format}", "dry_run": {dry_run}, "lines": [', end="")

    def add(
        self,
        number: int,
        deploy: Announcement | ExportedDeploy | Invalid,
        stored: Recorded | None,
    ) -> None:
        """Tells of the line `number`; `stored` is None where it was refused."""
        if isinstance(deploy, Invalid):
            self._add_refused(number, deploy)
        elif stored is not None:
            self._add_stored(number, stored, deploy)

    def _add_refused(self, number: int, error: Invalid) -> None:
        self.refused += 1
        reasons = "; ".join(f"{name} {reason}" for name, reason in error.fields.items())
        self._print(
            {"line": number, "result": "refused", "message": error.message, "fields": error.fields},
            f"refused: {reasons or error.message}",
        )

    def _add_stored(
        self, number: int, stored: Recorded, deploy: Announcement | ExportedDeploy
    ) -> None:
        self.new += stored.is_new
        self.known += not stored.is_new
        result = "new" if stored.is_new else "already there"
        # the id of a deploy that was only tried out means nothing
        deploy_id = None if stored.is_new and self._dry_run else str(stored.deploy_id)
        self._print(
            {"line": number, "result": result, "id": deploy_id},
            " ".join([result, *([deploy_id] if deploy_id else []), _describe(deploy)]),
        )

    def _print(self, fields: dict[str, object], text: str) -> None:
        if self._as_json:
            comma = "," if self.total > 1 else ""
            print(f"{comma}\n  {msgspec.json.encode(fields).decode()}", end="")
        else:
            print(f"line {fields['line']}: {escape_controls(text)}")
        if self._shows_progress and self.total % 500 == 0:
            print(f"\r{self.total:,} lines", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Prints the totals."""
        if self._shows_progress and self.total >= 500:
            print(file=sys.stderr)
        if self._as_json:
            totals = f'"new": {self.new}, "already_there": {self.known}, "refused": {self.refused}'
            print(f"\n], {totals}}}")
            return
        tried = "Tried only, nothing is stored. " if self._dry_run else ""
        lines = "1 line" if self.total == 1 else f"{self.total:,} lines"
        print(
            f"{tried}{lines}: {self.new:,} new, {self.known:,} already there, "
            f"{self.refused:,} refused."
        )
        sys.stdout.flush()


def _describe(line: Announcement | ExportedDeploy) -> str:
    deploy = line.deploy if isinstance(line, ExportedDeploy) else line
    at = deploy.at if isinstance(deploy, Announcement) else deploy.deployed_at
    return f"({deploy.git_sha[:12]} in {deploy.env} at {to_rfc3339(at)})"
