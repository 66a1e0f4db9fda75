"""`miniapm doctor`."""

import http.client
import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from miniapm import clock
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    bad_flag,
    find_address,
    load_settings,
)
from miniapm.cli.output import print_json
from miniapm.config import Config
from miniapm.domain.doctor import Finding
from miniapm.domain.impact.unjudged import find_judged_since
from miniapm.printable import escape_controls
from miniapm.storage.connection import Connection
from miniapm.storage.doctor.bodies import examine_bodies
from miniapm.storage.doctor.deploy import Terms
from miniapm.storage.doctor.deploys import examine_deploys
from miniapm.storage.doctor.file import examine_file
from miniapm.storage.doctor.jobs import examine_jobs
from miniapm.storage.doctor.named import examine_named
from miniapm.storage.doctor.projects import examine_project
from miniapm.storage.doctor.refusals import examine_refusals, examine_unknown_keys
from miniapm.storage.doctor.releases import examine_releases
from miniapm.storage.doctor.telemetry import examine_telemetry
from miniapm.storage.doctor.webhooks import examine_webhooks
from miniapm.storage.once import read_once
from miniapm.storage.projects import Project, find_projects, get_known_project
from miniapm.storage.server_lock import find_server_address, is_served
from miniapm.storage.spans.names import NameCaps

_SECONDS = 2.0


def doctor(
    project: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Look at this one.", show_default="all")
    ] = None,
    deploy: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Why this one, also by sha or version, is in no number.",
        ),
    ] = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Say why something is missing, and what to do about it.

    Looks at the file (damage, room, permissions), the server and its jobs, keys, deploys that never
    ended, telemetry (none, late, unreadable, too many names), clocks that are wrong, and at the
    calls that were refused: most hooks never show them to anybody. A refusal counts for 24 hours,
    or until a call with the same key is accepted; without a known key for an hour, or for 24 when
    it comes again. A line for each: ok, note (good to know) or problem (to be done).

    With --deploy it tells of that deploy alone: which rule leaves it out of graphs and numbers,
    whether telemetry showed it, and how it was judged.

    Exits 0 when there is no problem, 1 when there is one, 3 when the database cannot be opened.
    """
    settings = load_settings(db, config).config
    path = settings.database_path
    now = clock.now()
    if deploy is not None:
        findings = read_once(path, _examine_deploy, settings, project, deploy.strip(), now)
    else:
        findings = read_once(path, _examine, settings, project, now, find_address(settings))
        findings += _examine_server(path)
    problems = sum(finding.mark == "problem" for finding in findings)
    if as_json:
        print_json(
            {"healthy": not problems, "findings": [finding._asdict() for finding in findings]}
        )
    else:
        for finding in findings:
            text = escape_controls(f"{finding.sentence} {finding.advice}".rstrip())
            print(f"{finding.mark:<8} {text}")
        if problems:
            print(f"\n{problems} {'thing needs' if problems == 1 else 'things need'} attention.")
    if problems:
        raise typer.Exit(1)


def _examine(
    connection: Connection, settings: Config, slug: str | None, now: int, address: str
) -> list[Finding]:
    chosen = [get_known_project(connection, slug)] if slug else find_projects(connection)
    path, limits = settings.database_path, settings.limits
    caps = NameCaps(limits.services, limits.releases_per_service, limits.endpoints_per_service)
    findings = examine_file(connection, path)
    findings += examine_jobs(connection, settings.lifetimes, now, is_served=is_served(path))
    findings += examine_bodies(connection)
    for project in chosen:
        findings += examine_project(connection, project, now, settings.deploy_timeout)
        findings += examine_deploys(connection, project, settings.delivery_rules, now)
        findings += examine_telemetry(connection, project, caps, now)
        findings += examine_releases(connection, project, now)
        findings += examine_refusals(connection, project, now, _settings_url(address, project))
        page = f"{_settings_url(address, project)}/webhooks"
        findings += examine_webhooks(connection, project, page)
    # every project's settings show an admin the calls that are nobody's
    page = _settings_url(address, chosen[0]) if chosen else address
    return findings + examine_unknown_keys(connection, now, page)


def _examine_deploy(
    connection: Connection, settings: Config, slug: str | None, name: str, now: int
) -> list[Finding]:
    """Of all projects where none is given."""
    if not name:
        raise bad_flag("--deploy", "needs the id, sha or version of a deploy")
    judged_since = find_judged_since(settings.lifetimes, now)
    terms = Terms(settings.delivery_rules, settings.deploy_timeout, judged_since)
    chosen = [get_known_project(connection, slug)] if slug else find_projects(connection)
    return examine_named(connection, chosen, name, terms, now)


def _settings_url(address: str, project: Project) -> str:
    return f"{address}/p/{project.slug}/settings"


def _examine_server(path: Path) -> list[Finding]:
    if not is_served(path):
        return [
            Finding(
                "problem",
                "server",
                "No server runs on this database: senders reach nobody.",
                f"`miniapm serve --db {path.absolute()}` starts one.",
            )
        ]
    address = find_server_address(path)
    if address is None:
        return [Finding("note", "server", "A server is about to run on this database.")]
    reasons = _ask_readiness(address)
    if reasons is None:
        return [
            Finding(
                "note",
                "server",
                f"A server runs on this database, but does not answer at {address}.",
                "It may be very busy, or about to stop: see its log.",
            )
        ]
    if reasons:
        return [
            Finding("problem", "server", f"The server is not ready: {reason}.", "See its log.")
            for reason in reasons
        ]
    return [Finding("ok", "server", f"The server at {address} is ready, and so are its jobs.")]


def _ask_readiness(address: str) -> list[str] | None:
    """Why the server there is not ready; None when nothing of ours answers."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = json.loads(connection.getresponse().read(65536))
        return [str(reason) for reason in answer["reasons"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
