"""What became of the deploys of a lane: which failed and why, what recovered, what was rework.

One pass forward finds what each deploy was and what it says of those before it, one back finds what
they recovered by. A lane is a service in an environment.
"""

from collections.abc import Collection, Mapping, Sequence

from miniapm.domain.delivery.values import Failure, LiveDeploy, Outcome, Rework


def fold_lane(
    deploys: Sequence[LiveDeploy],
    before: LiveDeploy | None = None,
    carriers: Mapping[str, Sequence[int]] | None = None,
) -> list[Outcome]:
    """The outcomes of the live deploys of one lane, by (at, id).

    `deploys` are all from some moment on, in any order, each once or more; `before` was live when
    the first of them came. `carriers` tells by sha which deploys of the lane deployed it or brought
    it first, by (at, id), those before the stretch too.
    """
    by_id = {deploy.id: deploy for deploy in deploys}
    story = _Story(before, carriers or {}, by_id)
    for deploy in sorted(by_id.values(), key=lambda d: (d.at, d.id)):
        story.add(deploy)
    return story.tell()


class _Story:
    """The lane up to some deploy. Places count the deploys that count; redeploys have none."""

    def __init__(
        self,
        before: LiveDeploy | None,
        carriers: Mapping[str, Sequence[int]],
        to_come: Collection[int],
    ) -> None:
        self._previous = before
        self._carriers = carriers
        # how many carriers of a sha were taken back already: none is looked at twice
        self._taken_back: dict[str, int] = {}
        self._to_come = set(to_come)
        self._first_live: dict[str, int] = {}
        self._last_place: dict[str, int] = {}
        self._outcomes: list[Outcome] = []
        self._counted: list[Outcome] = []
        self._places: dict[int, int] = {}
        # those that no rollback has taken out yet, and what was said of each place since
        self._standing: list[int] = []
        self._rolled_back: dict[int, int] = {}
        self._reverted: dict[int, int] = {}
        self._fixed: dict[int, int] = {}
        if before is not None:
            self._remember(before)

    def add(self, deploy: LiveDeploy) -> None:
        previous = self._previous
        self._previous = deploy
        self._to_come.discard(deploy.id)
        own_first = self._find_first_live(deploy)
        self._remember(deploy)
        if previous is not None and previous.git_sha == deploy.git_sha:
            self._outcomes.append(Outcome(deploy, is_redeploy=True))
            return
        is_rollback = (
            previous is not None
            and own_first is not None
            and own_first < self._first_live[previous.git_sha]
        )
        rework: Rework | None = "revert" if self._take_back(deploy) else None
        if deploy.is_fix:
            rework = "fix"
            self._mark_fixed(deploy)
        if is_rollback:
            rework = "rollback"
            self._roll_back(deploy)
        place = len(self._counted)
        outcome = Outcome(deploy, previous is None, is_rollback=is_rollback, rework=rework)
        self._counted.append(outcome)
        self._outcomes.append(outcome)
        self._places[deploy.id] = self._last_place[deploy.git_sha] = place
        self._standing.append(place)

    def tell(self) -> list[Outcome]:
        """The outcomes, redeploys among them."""
        good: LiveDeploy | None = None
        place = len(self._counted)
        for number in range(len(self._outcomes) - 1, -1, -1):
            outcome = self._outcomes[number]
            if outcome.is_redeploy:
                continue
            place -= 1
            failure = self._find_failure(place, outcome.deploy)
            if failure is None:
                good = outcome.deploy
            else:
                recovered = (None, None) if good is None else (good.at, good.id)
                self._outcomes[number] = outcome._replace(
                    failure=failure, recovered_at=recovered[0], recovered_by=recovered[1]
                )
        return self._outcomes

    def _find_first_live(self, deploy: LiveDeploy) -> int | None:
        known = self._first_live.get(deploy.git_sha)
        return deploy.first_live_at if known is None else known

    def _remember(self, deploy: LiveDeploy) -> None:
        first = self._find_first_live(deploy)
        self._first_live[deploy.git_sha] = deploy.at if first is None else first

    def _roll_back(self, deploy: LiveDeploy) -> None:
        """All that went live since the restored sha was live last has failed."""
        restored = self._last_place.get(deploy.git_sha, -1)
        while self._standing and self._standing[-1] > restored:
            self._rolled_back[self._standing.pop()] = deploy.id

    def _take_back(self, deploy: LiveDeploy) -> bool:
        """Whether its commits revert what an earlier deploy of the lane deployed or brought."""
        is_revert = False
        for sha in deploy.reverts:
            carriers = self._carriers.get(sha, ())
            done = self._taken_back.get(sha, 0)
            while done < len(carriers) and self._is_past(carriers[done], deploy):
                if (place := self._places.get(carriers[done])) is not None:
                    self._reverted.setdefault(place, deploy.id)
                done += 1
            self._taken_back[sha] = done
            is_revert = is_revert or done > 0
        return is_revert

    def _is_past(self, deploy_id: int, deploy: LiveDeploy) -> bool:
        return deploy_id not in self._to_come and deploy_id != deploy.id

    def _mark_fixed(self, deploy: LiveDeploy) -> None:
        # a rollback restored what worked: the fix that follows it mends what the rollback took out
        if self._counted and not self._counted[-1].is_rollback:
            self._fixed[len(self._counted) - 1] = deploy.id

    def _find_failure(self, place: int, deploy: LiveDeploy) -> Failure | None:
        """The first reason that holds; a person's word goes before all others."""
        if deploy.overruled is not None:
            return Failure("overruled") if deploy.overruled == "failed" else None
        if deploy.failure_tag:
            return Failure("tag", word=deploy.failure_tag)
        if place in self._rolled_back:
            return Failure("rollback", self._rolled_back[place])
        if place in self._reverted:
            return Failure("revert", self._reverted[place])
        if place in self._fixed:
            return Failure("fix", self._fixed[place])
        return Failure("regressed") if deploy.is_regressed else None
