"""Why a deploy counts as failed, or in no number, in words."""

from collections.abc import Mapping

from miniapm.domain.delivery.values import Failure, Outcome, Rework

REWORK_WORDS: dict[Rework, str] = {
    "rollback": "rollback",
    "fix": "tagged as a fix",
    "revert": "takes back a commit that was live",
}


def tell_failure(failure: Failure, names: Mapping[int, str]) -> str:
    """The reason as the end of a sentence; `names` are what deploys are called, by id."""
    other = "" if failure.by_id is None else names.get(failure.by_id, "a later deploy")
    return {
        "overruled": "a person said so",
        "tag": f"tagged {failure.word}",
        "rollback": f"rolled back by {other}",
        "revert": f"a commit of it was taken back by {other}",
        "fix": f"followed by {other}, tagged as a fix",
        "regressed": "it regressed",
    }[failure.reason]


def tell_rework(outcome: Outcome) -> str:
    """Why it was rework; "" where it was none."""
    return "" if outcome.rework is None else REWORK_WORDS[outcome.rework]
