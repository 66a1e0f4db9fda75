"""The settings: sections of values that carry their own documentation.

`miniapm.toml.example`, the README and `miniapm config` are made from it. Where the values come from
is in `loading.py`.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from miniapm.domain.delivery.rules import DeliveryRules, parse_names
from miniapm.domain.durations import parse_duration
from miniapm.domain.retention import Lifetimes

MIB = 1024 * 1024


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server is reached."""

    host: Annotated[str, Meta(description="Address to listen on; 0.0.0.0 for all")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    ] = 3000
    public_url: Annotated[
        str,
        Meta(
            description="The address that people and hooks use, such as https://apm.example.com; "
            "shown in snippets, and https here marks cookies Secure. Empty: as the request came in"
        ),
    ] = ""
    admin_contact: Annotated[
        str, Meta(description="Whom to ask when something fails; shown in error answers")
    ] = "the administrator of this server"
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are "
            "believed, separated by commas; empty for none"
        ),
    ] = "127.0.0.1, ::1"


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the data is and how it is read."""

    path: Annotated[
        str, Meta(min_length=1, description="The database file (also --db and MINIAPM_DB)")
    ] = "miniapm.db"
    readers: Annotated[
        int, Meta(ge=1, le=16, description="Connections that read for pages and the API")
    ] = 3
    read_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Longest time that the queries of one page may take")
    ] = 5.0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one caller may ask for."""

    deploy_body_bytes: Annotated[
        int, Meta(ge=1024, description="Largest body of a deploy or an API call")
    ] = MIB
    telemetry_body_bytes: Annotated[
        int, Meta(ge=64 * 1024, description="Largest body of telemetry, as it is sent")
    ] = 8 * MIB
    telemetry_inflated_bytes: Annotated[
        int, Meta(ge=64 * 1024, description="Largest body of OpenTelemetry once it is inflated")
    ] = 64 * MIB
    services: Annotated[
        int,
        Meta(ge=1, description="Services of a project in telemetry; more are kept as `other`"),
    ] = 200
    releases_per_service: Annotated[
        int,
        Meta(ge=1, description="Versions of a service in an environment; more are `other`"),
    ] = 500
    endpoints_per_service: Annotated[
        int, Meta(ge=1, description="Endpoints of a service; more are kept as `other`")
    ] = 1000
    header_bytes: Annotated[
        int, Meta(ge=4096, description="Largest request line and headers together")
    ] = 32 * 1024
    header_count: Annotated[int, Meta(ge=20, description="Most header fields")] = 100
    header_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Time for the headers of a request to arrive")
    ] = 10.0
    body_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Time for the body of a request to arrive")
    ] = 30.0
    queue_bytes: Annotated[
        int,
        Meta(ge=MIB, description="Bytes of bodies being read or not yet on disk; more gets 503"),
    ] = 64 * MIB
    logins_per_minute: Annotated[
        int, Meta(ge=1, description="Sign-in attempts per address and minute")
    ] = 10


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long telemetry is kept; deploys and groups of errors are kept for ever."""

    spans: Annotated[
        str, Meta(description="Spans, traces and single requests, from when they came in")
    ] = "7d"
    errors: Annotated[
        str, Meta(description="Single occurrences of errors; their group and counts stay")
    ] = "30d"
    minutes: Annotated[
        str, Meta(description="Figures by the minute; a verdict learns from 14 days of them")
    ] = "16d"
    ten_minutes: Annotated[str, Meta(description="Figures by ten minutes")] = "90d"
    hours: Annotated[str, Meta(description="Figures by the hour")] = "400d"


class Deploys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How deploys are judged."""

    timeout: Annotated[
        str,
        Meta(description="A started deploy without an end counts as timed out after this long"),
    ] = "1h"
    observe: Annotated[
        bool,
        Meta(
            description="Whether versions that telemetry shows and nobody announced become "
            "deploys; never in the environments test, testing, tests, ci and local"
        ),
    ] = True


class Impact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How verdicts are reached."""

    least_ms: Annotated[
        float,
        Meta(
            ge=0,
            description="Durations that moved by less than so many milliseconds are not called "
            "slower or faster",
        ),
    ] = 1.0


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts in delivery's numbers."""

    production_environments: Annotated[
        str,
        Meta(
            description="Environments whose deploys count, separated by commas, without case; `*` "
            "stands for anything"
        ),
    ] = "production, prod, live"
    failure_tags: Annotated[
        str, Meta(description="Tags that say a deploy failed, separated by commas")
    ] = "is_failure, sev1"
    fix_tags: Annotated[
        str,
        Meta(
            description="Tags that say a deploy mends the one before it, separated by commas: it "
            "is rework then, and the one before failed"
        ),
    ] = "is_fix"
    github_beside_api: Annotated[
        Literal["leave out", "count"],
        Meta(
            description="Where a service and environment has a deploy from the API, those that "
            "only GitHub told of from then on: `leave out` of every number, or `count`"
        ),
    ] = "leave out"


class Webhooks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is told to outgoing webhooks."""

    per_hour: Annotated[
        int,
        Meta(
            ge=1,
            le=200,
            description="Most messages of an hour to each webhook, half of them for new errors; "
            "what is above is summed up in one",
        ),
    ] = 60
    allow_private: Annotated[
        bool,
        Meta(
            description="Whether webhooks may lead to this machine and to private networks: "
            "whoever makes one can then reach what is there"
        ),
    ] = False


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is not kept of telemetry."""

    scrub: Annotated[
        str,
        Meta(
            description="Names whose values are masked besides those like password, secret, token, "
            "authorization, cookie, api_key and card; separated by commas, without case, as part "
            "of a name"
        ),
    ] = ""


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes to stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="What is not less serious than this"),
    ] = "info"
    format: Annotated[
        Literal["text", "json"], Meta(description="json writes one object a line")
    ] = "text"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one run."""

    server: Server = msgspec.field(default_factory=Server)
    storage: Storage = msgspec.field(default_factory=Storage)
    limits: Limits = msgspec.field(default_factory=Limits)
    retention: Retention = msgspec.field(default_factory=Retention)
    deploys: Deploys = msgspec.field(default_factory=Deploys)
    impact: Impact = msgspec.field(default_factory=Impact)
    delivery: Delivery = msgspec.field(default_factory=Delivery)
    webhooks: Webhooks = msgspec.field(default_factory=Webhooks)
    privacy: Privacy = msgspec.field(default_factory=Privacy)
    log: Log = msgspec.field(default_factory=Log)

    @property
    def deploy_timeout(self) -> int:
        """`deploys.timeout` in microseconds."""
        return parse_duration(self.deploys.timeout)

    @property
    def lifetimes(self) -> Lifetimes:
        """The durations of `retention` in microseconds."""
        kept = self.retention
        return Lifetimes(
            spans=parse_duration(kept.spans),
            errors=parse_duration(kept.errors),
            minutes=parse_duration(kept.minutes),
            ten_minutes=parse_duration(kept.ten_minutes),
            hours=parse_duration(kept.hours),
        )

    @property
    def delivery_rules(self) -> DeliveryRules:
        """What `delivery` says of environments and tags."""
        told = self.delivery
        return DeliveryRules(
            production=parse_names(told.production_environments),
            failure_tags=parse_names(told.failure_tags),
            fix_tags=parse_names(told.fix_tags),
        )

    @property
    def database_path(self) -> Path:
        return Path(self.storage.path).expanduser()

    @property
    def address(self) -> str:
        """The address to show where no request tells a better one; no slash at the end."""
        return self.server.public_url or format_address(self.server.host, self.server.port)


def format_address(host: str, port: int) -> str:
    """The http address of a listener; one that listens everywhere is shown as on this machine."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only shown
    return f"http://{f'[{local}]' if ':' in local else local}:{port}"
