"""The values that every handler works with, made once in `app.py` and passed in."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from miniapm.clock import Clock
from miniapm.config import Config
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.unjudged import find_judged_since
from miniapm.domain.scrubbing import Scrubber
from miniapm.storage.budget import ByteBudget
from miniapm.storage.database import Database
from miniapm.web.keyring import Keyring
from miniapm.web.live import LiveFeed
from miniapm.web.passwords import PasswordHashing
from miniapm.web.rate_limits import RateLimit
from miniapm.web.refusals import RefusalRecorder


class JobReport(Protocol):
    """What pages may know of the background jobs."""

    def find_troubles(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a running server is made of."""

    config: Config
    clock: Clock
    database: Database
    make_id: IdMaker
    keyring: Keyring
    refusals: RefusalRecorder
    live: LiveFeed
    jobs: JobReport
    sign_ins: RateLimit
    passwords: PasswordHashing
    started_at: int
    deploy_timeout: int
    budget: ByteBudget
    digester: Executor
    large_digester: Executor
    scrubber: Scrubber

    @property
    def judged_since(self) -> int:
        """Deploys of before (µs) are not judged any more: the minutes around them are gone."""
        return find_judged_since(self.config.lifetimes, self.clock())
