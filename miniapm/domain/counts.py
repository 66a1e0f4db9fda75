"""Counts in the one form that every page, message and answer has."""


def tell_count(count: int, noun: str) -> str:
    """`1 deploy`, `0 deploys`, `1,203 deploys`."""
    return f"{count:,} {noun}" + "s" * (count != 1)
