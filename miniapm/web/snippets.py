"""What a person pastes to send deploys, errors or telemetry, or to stop a pipeline, the address
filled in.

The texts are files in `templates/snippets/`, whole and runnable, with an address and a key that
stand for the real ones. None of those that send can make a deploy fail, and the others do so only
when it regressed.
"""

import shlex
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

from miniapm.web.render import find_templates

EXAMPLE_URL = "https://miniapm.example"
EXAMPLE_KEY = "proj_YOUR_KEY"


class Snippet(NamedTuple):
    """`place` says where `text` goes; `setup` is a command to run once, or "", with the key.

    `language` is what `text` is written in, as Markdown names it.
    """

    slug: str
    title: str
    language: str
    place: str
    setup: str
    text: str


class _Sender(NamedTuple):
    file: str
    title: str
    place: str
    setup: str = ""


_EXPORTS = f"export MINIAPM_URL={EXAMPLE_URL}\nexport MINIAPM_API_KEY={EXAMPLE_KEY}"
_LANGUAGES = {"yml": "yaml", "rb": "ruby", "sh": "sh", "py": "python"}
_SENDERS = (
    _Sender("curl.sh", "curl", "In any script, after the deploy."),
    _Sender(
        "github-actions.yml",
        "GitHub Actions",
        "The last step of the job that deploys; put the right environment for production. A tag "
        "becomes the version. The secret is set once, with GitHub's gh or under Settings, Secrets "
        "and variables, Actions:",
        f"gh secret set MINIAPM_API_KEY --body {EXAMPLE_KEY}",
    ),
    _Sender(
        "gitlab-ci.yml",
        "GitLab CI",
        "A job in .gitlab-ci.yml, with the rules of the job that deploys and the environment that "
        "it deploys to. The stage .post comes after all others, and a failed deploy is not "
        "recorded as succeeded; where the deploy is started by hand, add needs: with the name of "
        "its job. The variable is set once, with GitLab's glab or under Settings, CI/CD, "
        "Variables:",
        f"glab variable set MINIAPM_API_KEY {EXAMPLE_KEY} --masked",
    ),
    _Sender(
        "capistrano.rb",
        "Capistrano",
        "At the end of config/deploy.rb. These are set where cap runs:",
        _EXPORTS,
    ),
    _Sender(
        "kamal-post-deploy.sh",
        "Kamal 2",
        "The file .kamal/hooks/post-deploy, made executable with chmod +x. This goes into "
        ".kamal/secrets:",
        f"MINIAPM_API_KEY={EXAMPLE_KEY}",
    ),
    _Sender(
        "kamal-deploy.yml",
        "Kamal, ERB hook",
        "For setups that run hooks from config/deploy.yml. These are set where kamal runs:",
        _EXPORTS,
    ),
    _Sender(
        "heroku.sh",
        "Heroku",
        "The last lines of the release phase script, in an image that has curl. Run once, so that "
        "the dyno knows its commit and where to send it:",
        "heroku labs:enable runtime-dyno-metadata\n"
        f"heroku config:set MINIAPM_URL={EXAMPLE_URL} MINIAPM_API_KEY={EXAMPLE_KEY}",
    ),
    _Sender(
        "python.py",
        "Python",
        "In a deploy script. No package index has miniapm: install it from a clone of its "
        "repository, or from git+https:// and an address of your own. These are set where the "
        "script runs:",
        f"pip install /path/to/miniapm\n{_EXPORTS}",
    ),
    _Sender(
        "ruby.rb",
        "Ruby",
        "In a deploy script; it needs no gem. These are set where it runs:",
        _EXPORTS,
    ),
)


_ERROR_SENDERS = (
    _Sender(
        "curl-error.sh", "curl", "Wherever an error is caught; any language can post the same."
    ),
)


_GATES = (
    _Sender(
        "gate-shell.sh",
        "Shell",
        "In any script that deploys, after the line that records the deploy.",
    ),
    _Sender(
        "gate-github-actions.yml",
        "GitHub Actions",
        "A step behind the one that records the deploy; it needs Python 3.11, as ubuntu-24.04 has, "
        "and the address of your clone of miniapm's repository.",
    ),
    _Sender(
        "gate-gitlab-ci.yml",
        "GitLab CI",
        "A job beside the one that records the deploy, with the address of your clone of "
        "miniapm's repository.",
    ),
    _Sender(
        "gate-capistrano.rb",
        "Capistrano",
        "At the end of config/deploy.rb, behind the task that records the deploy. These are set "
        "where cap runs:",
        _EXPORTS,
    ),
    _Sender(
        "gate-kamal.sh",
        "Kamal 2",
        "The last lines of .kamal/hooks/post-deploy, behind those that record the deploy. The lock "
        "is free again by then. It goes back to the version that was live before, as long as Kamal "
        "keeps its container.",
    ),
    _Sender(
        "gate-curl.sh",
        "curl",
        "Where miniapm is not installed: a script to call instead of the command. It stops where "
        "that does, but exits 0 for everything else.",
    ),
)


def list_snippets(base_url: str, secret: str | None) -> tuple[Snippet, ...]:
    """A snippet for every sender, with `base_url` and, where there is one, the key's secret."""
    return _fill_snippets(_SENDERS, base_url, secret)


def list_error_snippets(base_url: str, secret: str | None) -> tuple[Snippet, ...]:
    """As `list_snippets`, for who sends errors."""
    return _fill_snippets(_ERROR_SENDERS, base_url, secret)


def list_gate_snippets(base_url: str, secret: str | None) -> tuple[Snippet, ...]:
    """As `list_snippets`, for who stops a pipeline when a deploy regressed."""
    return _fill_snippets(_GATES, base_url, secret)


def write_telemetry_setup(base_url: str, service: str, env: str | None = None) -> str:
    """What any OpenTelemetry SDK reads from its environment, as lines for a shell; the key is in
    MINIAPM_API_KEY. Without `env`, of production."""
    filled = _read("opentelemetry.sh").rstrip().replace(EXAMPLE_URL, base_url)
    filled = filled.replace("SERVICE_NAME=default", f"SERVICE_NAME={shlex.quote(service)}")
    return filled.replace("=production", f"={quote(env, safe='')}") if env else filled


def _fill_snippets(
    senders: tuple[_Sender, ...], base_url: str, secret: str | None
) -> tuple[Snippet, ...]:
    def fill(text: str) -> str:
        filled = text.replace(EXAMPLE_URL, base_url)
        return filled if secret is None else filled.replace(EXAMPLE_KEY, secret)

    return tuple(
        Snippet(
            slug=sender.file.partition(".")[0],
            title=sender.title,
            language=_LANGUAGES[sender.file.rpartition(".")[2]],
            place=sender.place,
            setup=fill(sender.setup),
            text=fill(_read(sender.file)),
        )
        for sender in senders
    )


@cache
def _read(file: str) -> str:
    return (find_templates() / "snippets" / file).read_text(encoding="utf-8")
