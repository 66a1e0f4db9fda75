"""Styles and scripts: named by content, kept for ever, small, readable by everyone."""

import gzip
import re

import pytest

from miniapm.web.assets import asset_url, find_assets
from miniapm.web.render import find_templates, make_environment, weblink
from tests.conftest import Server
from tests.web.markup import parse_html


@pytest.mark.parametrize(
    "name", ["app.css", "app.js", "mark.svg", "charts.css", "charts.js", "uplot.js"]
)
def test_an_asset_is_kept_for_ever(server: Server, name: str) -> None:
    answer = server.http.get(asset_url(name))
    assert answer.status_code == 200
    assert answer.content == find_assets()[name].body
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_asset_comes_plain_where_gzip_is_not_understood(server: Server) -> None:
    answer = server.http.get(asset_url("app.css"), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert answer.content == find_assets()["app.css"].body


@pytest.mark.parametrize("name", ["app.css", "app.0000000000.css", "..%2f__init__.py", "%00"])
def test_other_names_are_not_found(server: Server, name: str) -> None:
    assert server.http.get(f"/static/{name}").status_code == 404


def test_the_name_follows_the_content() -> None:
    names = [asset.name for asset in find_assets().values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+\.[0-9a-f]{10}\.[a-z]+", name) for name in names)


def test_everything_together_is_small() -> None:
    total = sum(len(gzip.compress(asset.body)) for asset in find_assets().values())
    assert total < 80_000


def test_no_template_writes_scripts_or_styles_into_a_page() -> None:
    for path in find_templates().rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text), (
            path
        )


def test_every_template_can_be_read() -> None:
    environment = make_environment()
    for path in find_templates().rglob("*.html"):
        environment.get_template(str(path.relative_to(find_templates())))


def test_a_page_loads_nothing_from_elsewhere(server: Server) -> None:
    answer = server.sign_in().get("/p/default/deploys")
    page = parse_html(answer.text)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for tag, attribute in (("script", "src"), ("link", "href"), ("img", "src")):
        for element in page.select(tag):
            assert element[attribute].startswith("/static/")


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://example.com/a?b", "https://example.com/a?b"),
        ("HTTP://example.com", "HTTP://example.com"),
        ("javascript:alert(1)", ""),
        (" javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        (None, ""),
    ],
)
def test_a_link_leads_to_the_web_or_nowhere(address: str | None, link: str) -> None:
    assert weblink(address) == link


def _palettes() -> list[dict[str, str]]:
    css = find_assets()["app.css"].body.decode()
    light, dark, *_ = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in (light, dark)]
    return [found[0], found[0] | found[1]]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("ink", "ground", 7),
        ("ink", "sunk", 7),
        ("soft", "ground", 7),
        ("soft", "sunk", 7),
        ("link", "ground", 7),
        ("link", "sunk", 4.5),
        ("on-fill", "fill", 4.5),
        ("bad", "ground", 7),
        ("bad", "bad-sunk", 4.5),
        ("ink", "bad-sunk", 7),
        ("ink", "good-sunk", 7),
        ("link", "good-sunk", 4.5),
        ("edge", "ground", 3),
    ],
)
def test_text_stands_out(palette: dict[str, str], text: str, ground: str, least: float) -> None:
    assert contrast(palette[text], palette[ground]) >= least
