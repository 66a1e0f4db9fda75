"""Shares and changes in percent, in the one form that every page, message and answer has."""

_MINUS = "\N{MINUS SIGN}"


def tell_share(share: float) -> str:
    """A part of a whole, small ones with the digits that matter: `0 %`, `0.04 %`, `3.1 %`,
    `12 %`. What is there but too little for two digits is `0.01 %`."""
    percent = share * 100
    if percent in (0, 100) or percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.995 else f"{max(percent, 0.01):.2f} %"


def tell_whole(share: float) -> str:
    """How much, to the whole percent and without a sign: `42 %`, `1,200 %`."""
    return f"{abs(round(share * 100)):,} %"


def tell_change(share: float) -> str:
    """By how much something moved: `+42 %`, `0 %`, with a minus sign where it fell."""
    percent = round(share * 100)
    sign = "+" if percent > 0 else _MINUS if percent < 0 else ""
    return f"{sign}{tell_whole(share)}"
