"""Words that no person wrote: keys of a kind nobody listed, and credentials in base64.

Hashes, UUIDs, digests of images, trace ids, ULIDs and the random ends of pods' names are random too and are no secrets: they tell the
on-call what ran where. They are hexadecimal, or digits with letters of one case, so only words that mix capitals, small letters and
digits as base64 does are taken. A secret in hexadecimal is therefore found by its name only (`token=5f4d...`).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from agents.advice.secret_places import user_and_password
from agents.advice.spans import Span

WORD = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}+={0,2}")
PIECE = re.compile(r"[A-Za-z0-9]{16,}+")
SHORTEST = 20
CUT = 12
"""Of a word whose end was cut off, which `…` says."""
ENTROPY = 3.3
"""Bits a letter: 20 random letters of base64 have about 4.1, words of a language about 3.3."""
CHANGES = 0.42
"""Share of neighbours of another class (capital, small, digit): 0.62 when random, 0.33 in CamelCase."""
WRAPPED = re.compile(r"(?i)pass|secret|token|api.?key|private key|authorization|credential|pwd")
LONGEST = 65_536


def random_word(word: str, shortest: int = SHORTEST) -> bool:
    letters = [letter for letter in word if letter.isalnum()]
    if len(letters) < shortest:
        return False
    classes = [letter.isdigit() or 2 * letter.isupper() for letter in letters]
    kinds = Counter(classes)
    if len(kinds) < 3 or kinds[True] < 2 or min(kinds[0], kinds[2]) < 3:
        return False
    changes = sum(one != other for one, other in pairwise(classes)) / (len(letters) - 1)
    if changes < CHANGES:
        return False
    total = len(letters)
    return -sum(count / total * math.log2(count / total) for count in Counter(letters).values()) >= min(ENTROPY, math.log2(total) - 0.4)


def random_words(text: str) -> Iterator[Span]:
    for match in WORD.finditer(text):
        word = match[0]
        shortest = CUT if text.startswith("…", match.end()) else SHORTEST
        if len(word) < shortest or word.islower() or word.isupper():
            continue
        if random_word(word[:LONGEST], shortest):
            yield Span(*match.span(), "random")
            continue
        for piece in PIECE.finditer(word):
            if random_word(piece[0][:LONGEST]):
                yield Span(match.start() + piece.start(), match.start() + piece.end(), "random")


def wrapped(secrets_in: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    """Detector of base64 that holds `user:password`, or text in which `secrets_in` finds a secret."""

    def detector(text: str) -> Iterator[Span]:
        for match in WORD.finditer(text):
            word = match[0]
            if word.islower() and word.isalpha():
                continue
            told = unwrapped(word[:LONGEST])
            if told is not None and (
                (user_and_password(word[:400]) and plausible(told)) or (WRAPPED.search(told) is not None and secrets_in(told))
            ):
                yield Span(*match.span(), "credentials")

    return detector


def unwrapped(word: str) -> str | None:
    """What base64 says, when that is text."""
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - 1] if len(plain) % 4 == 1 else plain
    try:
        told = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return told if all(letter.isprintable() or letter in "\r\n\t" for letter in told) else None


def plausible(told: str) -> bool:
    """`user:password`, not a global id (`User:1234`), a URL or a list of pairs."""
    user, _, password = told.partition(":")
    return (
        len(password) >= 4
        and not password.isdigit()
        and not password.startswith("//")
        and re.fullmatch(r"[\w.@+ -]{1,64}", user) is not None
        and re.search(r"[\s{}\"]", told) is None
    )
