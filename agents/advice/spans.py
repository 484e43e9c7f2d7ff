"""What is taken out of a text: kinds in the order of how much they must not get out, and the places where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

KINDS = (
    "private_key",
    "api_key",
    "webhook",
    "jwt",
    "authorization",
    "cookie",
    "password",
    "secret",
    "credentials",
    "random",
    "card",
    "iban",
    "ssn",
    "phone",
    "email",
    "mac",
    "ip",
    "host",
)
"""Where finds overlap, what they cover together goes, under the kind that comes first here."""
RANK = {kind: rank for rank, kind in enumerate(KINDS)}
SECRETS = frozenset(KINDS[: KINDS.index("card")])
"""Whoever has one can do something with it."""
HARMLESS = frozenset({"mac", "ip", "host"})
"""Put back into an answer once it is here: the on-call needs them, and they were never secret inside."""


class Span(NamedTuple):
    start: int
    end: int
    kind: str


Detector = Callable[[str], Iterable[Span]]
"""Finds one family in a text. Must take time linear in the text, whatever the text."""


def lowered(text: str) -> str:
    """In small letters and of the same length."""
    low = text.lower()
    return low if len(low) == len(text) else text


def merged(spans: Iterable[Span]) -> list[Span]:
    """Without overlaps, in the order of the text."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start < result[-1].end:
            last = result[-1]
            if span.kind == "email" and last.kind in SECRETS:
                continue  # `user:password@host`: what is left over is a host
            kind = min(last.kind, span.kind, key=RANK.__getitem__)
            result[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            result.append(span)
    return result
