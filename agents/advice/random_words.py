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
PIECE = re.compile(r"[A-Za-z0-9]++")
TAIL = re.compile(r"(?:\s|\\{1,4}[nrt]?){1,3}+[A-Za-z0-9+/=]{1,64}+(?=…)")
"""The line after it, cut off."""
CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
VOWEL = re.compile(r"[aeiouyAEIOUY]")
HARD = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}", re.I)
ABBREVIATIONS = frozenset({"http", "https", "grpc", "tcp", "dns", "sql", "xml", "tls", "ssl", "vpn", "html"})
PLAIN = re.compile(r"(?<![A-Za-z0-9])[a-z]{5,}(?![A-Za-z0-9])")
SHORTEST = 20
CUT = 12
"""Of a word whose end was cut off, which `…` says."""
SHORTEST_MIXED = 16
"""Letters of such a word in pieces that are no plain word and no number."""
ENTROPY = 3.3
"""Bits a letter: 20 random letters of base64 have about 4.1."""
WRAPPED = re.compile(r"(?i)://\S{1,512}[@:]|pass|secret|token|api.?key|private key|authorization|credential|pwd")
LONGEST = 65_536
TABLE = """
    38983490701999170999766260 70109102460800400650600030 91639219608733950869600030 93459321801641640655522010 98997873601999587999486940
    60027500900401700443600000 60319235500514340862500000 81307100700130720655300010 75977580002889970699060206 40005000000000100010000000
    20317100500202030052400000 93659411902930950579721050 94529000800251780264500000 92999792803456870699563010 57880540505999970977967110
    90349005600810960948800040 00000000000100000000700000 94879561906576960989672070 82849506904754892599716070 94869539901563980998635070
    45457330600869170889000000 80209000800002200000000000 50306000700003600660000000 00304000300000040057000010 32343201200447260355011000
    30005000000000000000000000"""
PAIRS = tuple(tuple(map(int, row)) for row in TABLE.split())
"""How usual one letter (row) is before another (column) in names that people give: 0 is 2.5 less, in natural logarithms, than by
chance, each step 0.4 more. Counted in 7,800 names of code, with letters of all cases as small ones."""
CHANGES, NAMELIKE, WORDLIKE, BIAS = 16.0, 2.3, 7.3, 10.5
"""Weights of a logistic regression of such names against letters by chance: the share of places where capitals, small letters and digits
change, the mean of PAIRS, the share of letters that are in what may be words and abbreviations."""


def random_word(word: str, shortest: int = SHORTEST_MIXED) -> bool:
    """Judged by its pieces in which capitals and small letters mix: others are names, numbers and hashes."""
    letters = "".join(piece for piece in PIECE.findall(word) if not piece.islower() and not piece.isupper() and not piece.isdigit())
    size = len(letters)
    if size < shortest:
        return False
    if -sum(count / size * math.log2(count / size) for count in Counter(letters).values()) < min(ENTROPY, math.log2(size) - 0.4):
        return False
    return CHANGES * changes(letters) - NAMELIKE * namelike(letters) - WORDLIKE * wordlike(letters) + BIAS > 0


def changes(letters: str) -> float:
    kinds = ["l" if letter.islower() else "u" if letter.isupper() else "d" for letter in letters]
    return sum(one != other for one, other in pairwise(kinds)) / (len(letters) - 1)


def namelike(letters: str) -> float:
    places = [ord(letter) - 97 if letter.isalpha() else -1 for letter in letters.lower()]
    usual = [PAIRS[one][other] for one, other in pairwise(places) if one >= 0 and other >= 0]
    return sum(usual) / max(1, len(usual))


def wordlike(letters: str) -> float:
    words = sum(len(part) for part in CAMEL.findall(letters) if word_or_abbreviation(part))
    return words / max(1, sum(map(str.isalpha, letters)))


def word_or_abbreviation(part: str) -> bool:
    if part.isupper():
        return 3 <= len(part) <= 5
    if part.lower() in ABBREVIATIONS:
        return True
    return len(part) >= 3 and part.isalpha() and VOWEL.search(part) is not None and HARD.search(part) is None


def random_words(text: str) -> Iterator[Span]:
    for match in WORD.finditer(text):
        word = match[0]
        cut = text.startswith("…", match.end())
        if len(word) < (CUT if cut else SHORTEST) or word.islower() or word.isupper():
            continue
        if unwrapped(word[:LONGEST]) is not None:
            continue  # a text in base64: what is in it is looked at by itself
        if random_word(word[:LONGEST], CUT if cut else SHORTEST_MIXED):
            start, end = match.span()
            if "/" in word and PLAIN.search(word) is not None:  # a path with a key in it: its plain words may stay
                pieces = [piece for piece in PIECE.finditer(text, start, end) if not piece[0].islower() and not piece[0].isdigit()]
                start, end = pieces[0].start(), pieces[-1].end()
            if (rest := TAIL.match(text, end)) is not None:
                end = rest.end()
            yield Span(start, end, "random")
            continue
        for piece in PIECE.finditer(word):
            if len(piece[0]) >= SHORTEST and random_word(piece[0][:LONGEST]):
                yield Span(match.start() + piece.start(), match.start() + piece.end(), "random")


def wrapped(secrets_in: Callable[[str], bool]) -> Callable[[str], Iterator[Span]]:
    """Detector of base64 that holds `user:password`, or text in which `secrets_in` finds a secret."""

    def detector(text: str) -> Iterator[Span]:
        for match in WORD.finditer(text):
            word = match[0]
            if word.islower() and word.isalpha():
                continue
            told = unwrapped(word[:LONGEST])
            if told is not None and text.startswith("…", match.end()):
                told += "…"
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
        and not (password.isdigit() and (len(password) < 8 or user[0].isupper()))
        and not password.startswith("//")
        and re.fullmatch(r"[\w.@+ -]{1,64}", user) is not None
        and re.search(r"[\s{}\"]", told) is None
    )
