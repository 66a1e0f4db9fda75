"""What became of each line of an import, printed as it is known: files may be long."""

import sys

import msgspec

from miniapm.cli.progress import Bar
from miniapm.clock import to_rfc3339
from miniapm.domain.counts import tell_count
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.revisions_log import TIME_UNKNOWN
from miniapm.domain.deploys.values import Announcement
from miniapm.exceptions import Invalid
from miniapm.printable import escape_controls
from miniapm.storage.deploys.record import Recorded


class ImportReport:
    """Prints a line for each line, as text or as parts of one JSON object; counts them, and those
    whose time is made up.

    `bar` shows how far it is, where somebody waits for it.
    """

    def __init__(self, bar: Bar, *, as_json: bool, dry_run: bool) -> None:
        self._bar = bar
        self._as_json = as_json
        self._dry_run = dry_run
        self.new = 0
        self.updated = 0
        self.known = 0
        self.refused = 0
        self.timeless = 0
        self.left_out = 0

    @property
    def total(self) -> int:
        return self.new + self.updated + self.known + self.refused + self.left_out

    def start(self, file_format: str) -> None:
        if self._as_json:
            dry_run = "true" if self._dry_run else "false"
            print(f'{{"format": "{file_format}", "dry_run": {dry_run}, "lines": [', end="")

    def add(
        self,
        number: int,
        deploy: Announcement | ExportedDeploy | Invalid | LeftOut,
        stored: Recorded | None,
    ) -> None:
        """Tells of the line `number`; `stored` is None where it was refused or left out."""
        if isinstance(deploy, Invalid):
            self._add_refused(number, deploy)
        elif isinstance(deploy, LeftOut):
            self.left_out += 1
            self._print(
                {"line": number, "result": "left out", "message": deploy.reason},
                f"left out: {deploy.reason}",
            )
        elif stored is not None:
            self.timeless += isinstance(deploy, Announcement) and TIME_UNKNOWN in deploy.tags
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
        if stored.is_new:
            result = "new"
            self.new += 1
        elif stored.is_changed:
            result = "updated"
            self.updated += 1
        else:
            result = "already there"
            self.known += 1
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
        self._bar.show(self.total)

    def finish(self) -> None:
        """Prints the totals."""
        self._bar.end()
        if self._as_json:
            totals = {
                "new": self.new,
                "updated": self.updated,
                "already_there": self.known,
                "refused": self.refused,
                "left_out": self.left_out,
            }
            print(f"\n], {msgspec.json.encode(totals).decode()[1:]}")
            return
        tried = "Tried only, nothing is stored. " if self._dry_run else ""
        lines = tell_count(self.total, "line")
        left_out = f", {self.left_out:,} left out" if self.left_out else ""
        updated = f"{self.updated:,} updated, " if self.updated else ""
        print(
            f"{tried}{lines}: {self.new:,} new, {updated}{self.known:,} already there, "
            f"{self.refused:,} refused{left_out}."
        )
        sys.stdout.flush()


def _describe(line: Announcement | ExportedDeploy) -> str:
    deploy = line.deploy if isinstance(line, ExportedDeploy) else line
    at = deploy.at if isinstance(deploy, Announcement) else deploy.deployed_at
    return f"({deploy.git_sha[:12]} in {deploy.env} at {to_rfc3339(at)})"
