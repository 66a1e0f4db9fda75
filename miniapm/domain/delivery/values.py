"""The values that deploys fold into: what each of them was, whether it failed and why, and what the
numbers are made of. Instants and durations in µs."""

from typing import Literal, NamedTuple

from miniapm.domain.deploys.values import Overruled

Reason = Literal["overruled", "tag", "rollback", "revert", "fix", "regressed"]
Rework = Literal["rollback", "fix", "revert"]


class LiveDeploy(NamedTuple):
    """A deploy that went live and is neither hidden nor left out.

    `first_live_at` is when its sha was first live in the lane before the stretch that is folded;
    `failure_tag` the tag of it that says it failed; `reverts` the shas that its commits take back.
    """

    id: int
    git_sha: str
    at: int
    service: str = ""
    env: str = ""
    overruled: Overruled | None = None
    first_live_at: int | None = None
    failure_tag: str = ""
    is_fix: bool = False
    is_regressed: bool = False
    reverts: tuple[str, ...] = ()


class Failure(NamedTuple):
    """Why a deploy counts as failed: `by_id` is the deploy that shows it, `word` the tag."""

    reason: Reason
    by_id: int | None = None
    word: str = ""


class Outcome(NamedTuple):
    """What a live deploy was, and what became of it.

    A redeploy counts in no number. `rework` says why it was unplanned work; `recovered_at` is when
    the first later deploy of the lane was live that did not fail, `recovered_by` which one it was.
    """

    deploy: LiveDeploy
    is_first: bool = False
    is_redeploy: bool = False
    is_rollback: bool = False
    rework: Rework | None = None
    failure: Failure | None = None
    recovered_at: int | None = None
    recovered_by: int | None = None

    @property
    def counts(self) -> bool:
        """Whether it stands in the numbers."""
        return not self.is_redeploy

    @property
    def brings_commits(self) -> bool:
        """Whether commits can have reached their users by it."""
        return not (self.is_redeploy or self.is_rollback)

    @property
    def recovery_us(self) -> int | None:
        """From the failed deploy to the recovery; None while there is none."""
        return None if self.recovered_at is None else self.recovered_at - self.deploy.at


class Brought(NamedTuple):
    """A commit that a deploy lists."""

    deploy_id: int
    sha: str
    committed_at: int


class LeadTimes(NamedTuple):
    """What the commits of one deploy waited: ascending, in µs. `is_approximate` where only the head
    commit is known to have been new."""

    deploy_id: int
    at: int
    waits: tuple[int, ...]
    is_approximate: bool = False
