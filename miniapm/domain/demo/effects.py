"""What the versions of the shop do to its endpoints."""

from functools import cache
from typing import NamedTuple

from miniapm.domain.demo.faults import HOUSE_NUMBER, NO_CONNECTION, NO_STREET, USUAL
from miniapm.domain.demo.shop import BY_NAME
from miniapm.domain.demo.values import Call, Effect, Endpoint, Fault

_SEARCH = BY_NAME["GET /search"].calls
_PRODUCT = BY_NAME["GET /products/{id}"].calls

EFFECTS = (
    Effect(
        "GET /search", "v2.30.0", "v2.30.0", factor=1.38, failing=0.008, fault=NO_CONNECTION,
        calls=(
            _SEARCH[0],
            Call("http", _SEARCH[1].text, 0.06, 0.38),
            Call("query", "SELECT sold FROM popularity WHERE product_id = %s", 0.42, 0.80, 24),
            Call("query", _SEARCH[2].text, 0.82, 0.96),
        ),
    ),
    Effect("POST /checkout", "v2.32.0", "v2.32.0", failing=0.04, fault=HOUSE_NUMBER),
    Effect(
        "GET /products/{id}", "v2.28.0", None, factor=0.65,
        calls=(*_PRODUCT[:3], Call("query", "GET related:{}", 0.50, 0.54)),
    ),
    Effect("GET /search", "v2.24.0", "v2.25.0", failing=0.0008, fault=NO_CONNECTION),
    Effect("process mail.send", "v1.13.0", None, failing=0.0006, fault=NO_STREET),
)  # fmt: skip


class Conduct(NamedTuple):
    """How an endpoint behaves at a version: how many times as long it takes as usual, what it
    calls, and which shares of its requests fail with which fault."""

    factor: float
    calls: tuple[Call, ...]
    faults: tuple[tuple[float, Fault], ...]


@cache
def find_conduct(endpoint: Endpoint, version: str) -> Conduct:
    """What the effects come to."""
    number = _to_numbers(version)
    factor, calls = 1.0, endpoint.calls
    faults = [USUAL[endpoint.name]] if endpoint.name in USUAL else []
    for effect in EFFECTS:
        if effect.endpoint != endpoint.name or number < _to_numbers(effect.first):
            continue
        if effect.last is not None and number > _to_numbers(effect.last):
            continue
        factor *= effect.factor
        calls = effect.calls or calls
        if effect.fault is not None:
            faults.append((effect.failing, effect.fault))
    return Conduct(factor, calls, tuple(faults))


def _to_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.lstrip("v").split("."))
