"""Numbers before words."""

from __future__ import annotations


def many(number: int, one: str, more: str = "") -> str:
    """`1 verdict`, `2 verdicts`; `more` where the plural is not made with an s."""
    return f"{number} {one if number == 1 else more or one + 's'}"
