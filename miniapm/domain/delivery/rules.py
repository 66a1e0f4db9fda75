"""What the settings say about delivery: which environments count, which tags mean what."""

from fnmatch import fnmatchcase
from typing import NamedTuple


class DeliveryRules(NamedTuple):
    """`production` are names of environments, with `*` for anything; the others are tags."""

    production: tuple[str, ...] = ("production", "prod", "live")
    failure_tags: tuple[str, ...] = ("is_failure", "sev1")
    fix_tags: tuple[str, ...] = ("is_fix",)

    def is_production(self, env: str) -> bool:
        """Whether deploys to `env` count where no environment is asked for."""
        return self.rank(env) < len(self.production)

    def rank(self, env: str) -> int:
        """The place of the first name that `env` answers to; past the last one for none."""
        name = env.casefold()
        return next(
            (
                place
                for place, pattern in enumerate(self.production)
                if fnmatchcase(name, pattern.casefold())
            ),
            len(self.production),
        )


def parse_names(text: str) -> tuple[str, ...]:
    """The names in a setting, which commas separate."""
    return tuple(dict.fromkeys(part for part in map(str.strip, text.split(",")) if part))
