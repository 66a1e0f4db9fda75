"""How long commits waited until they reached people: from committed to first deployed."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter

from miniapm.domain.delivery.values import Brought, LeadTimes, Outcome
from miniapm.domain.deploys.commits import is_same_commit


def drop_repeats(outcomes: Iterable[Outcome], listed: Iterable[Brought]) -> list[Brought]:
    """The commits of one service, each with the first deploy that brought it, by (at, id) of these.

    `outcomes` are deploys of all its lanes that count. Rollbacks and redeploys bring none, and a
    deploy brings no commit that is younger than itself.
    """
    ats = {o.deploy.id: o.deploy.at for o in outcomes if o.brings_commits}
    ordered = [one for one in listed if one[0] in ats]
    # deploy by deploy as they come, and in order already where there is one lane
    ordered.sort(key=lambda one: (ats[one[0]], one[0]))
    seen: set[str] = set()
    first: list[Brought] = []
    add, keep, at, deploy_id = seen.add, first.append, 0, 0
    for one in ordered:
        if one[0] != deploy_id:
            deploy_id = one[0]
            at = ats[deploy_id]
        if one[2] < at and one[1] not in seen:
            add(one[1])
            keep(one)
    return first


def fold_lead_times(
    outcomes: Iterable[Outcome], brought: Sequence[Brought], known: Collection[str] = ()
) -> list[LeadTimes]:
    """The waits of the commits by deploy, in the order of `brought`, which has no repeats; `known`
    are shas that came with earlier deploys already.

    Of the first deploy of a lane, which may list the whole past, the head commit alone counts.
    """
    by_id = {outcome.deploy.id: outcome for outcome in outcomes}
    if known:
        brought = [one for one in brought if one[1] not in known]
    found = []
    for deploy_id, commits in groupby(brought, key=itemgetter(0)):
        outcome = by_id[deploy_id]
        deploy, at = outcome.deploy, outcome.deploy.at
        if outcome.is_first:
            commits = (one for one in commits if is_same_commit(one[1], deploy.git_sha))
        waits = sorted([at - committed_at for _, _, committed_at in commits])
        if waits:
            found.append(LeadTimes(deploy_id, at, tuple(waits), outcome.is_first))
    return found
