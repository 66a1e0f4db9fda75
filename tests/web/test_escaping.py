"""Templates write the same as Jinja's own environment lets them."""

from collections.abc import Sequence

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, UndefinedError
from markupsafe import Markup, escape

from miniapm.web.escaping import PageEnvironment

TEMPLATES = {
    "base": "<b>{% block title %}none{% endblock %}</b>{% block main %}{% endblock %}{{ a }}",
    "part": "[{{ a }}]",
    "page": """{% extends "base" %}{% macro row(x) %}<li>{{ x }}, {{ caller() }}</li>{% endmacro %}
        {% block title %}{{ super() }} & {{ a }}{% endblock %}
        {% block main %}{% for x in many %}{% call row(x) %}{{ loop.index }}{% endcall %}
            {% else %}nothing{% endfor %}{% set kept %}{{ a }}!{% endset %}{{ kept }}
            {% include "part" %}{% block inner %}{{ a ~ "<" }}{{ a|safe }}{% endblock %}
        {% endblock %}""",
}


class Drawn:
    """Says itself how it looks in HTML."""

    def __html__(self) -> str:
        return "<hr>"


VALUES = ("plain", "<b>&'\"", "", Markup("<i>"), 7, 1.5, True, None, Drawn(), ["<"])


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_piece_is_what_markupsafe_makes_of_it(value: object) -> None:
    assert PageEnvironment.escape_piece(value) == str(escape(value))


@pytest.mark.parametrize("many", [(), VALUES], ids=["none", "all"])
def test_a_page_is_what_jinja_makes_of_it(many: Sequence[object]) -> None:
    ours, own = (
        made(loader=DictLoader(TEMPLATES), autoescape=True)
        for made in (PageEnvironment, Environment)
    )
    told = {"a": "<&>", "many": many}
    page = ours.get_template("page").render(told)
    assert page == own.get_template("page").render(told)
    assert "&lt;&amp;&gt;!" in page


def test_a_name_that_is_missing_is_an_error() -> None:
    strict = PageEnvironment(autoescape=True, undefined=StrictUndefined)
    with pytest.raises(UndefinedError):
        strict.from_string("{{ missing }}").render()
