"""miniapm: the deploy tracker and APM that knows what every deploy did.

`record_deploy` is the one call for deploy scripts written in Python; it is loaded on first use,
so importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miniapm.client.recording import record_deploy

__all__ = ["__version__", "record_deploy"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "record_deploy":
        from miniapm.client.recording import record_deploy

        return record_deploy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
