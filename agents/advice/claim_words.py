"""The words of `claims.toml`, their stems, and how a sentence is cut into words and clauses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources

WRITTEN = tomllib.loads(resources.files("agents.advice").joinpath("claims.toml").read_text("utf-8"))
_TOKEN = re.compile(r"[^\s,;:!?()\[\]{}\"'“”‘’*|=<>]+(?:'[a-z]+)?|[,;:!?()=<>]")
_EDGE = ".…~`#*"
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
NAME = re.compile(r"[\d_/.:@\\-]|[a-z][A-Z]|[A-Z]{2}")
NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)(%|[a-z]{0,3})\Z", re.I)
VERSION = re.compile(r"v?\d+(?:\.\d+){2,}\S*\Z")


def words(name: str) -> frozenset[str]:
    """A list of the file, its words as they stand there."""
    return frozenset((WRITTEN[name] if name in WRITTEN else WRITTEN["sets"][name]).split())


STOPS = frozenset(",;:!?()")
_ENDINGS = ("ations", "ation", "ions", "ion", "ings", "ing", "edly", "ies", "ied", "ily", "ed", "es", "ly", "s", "e", "y", "ment", "ments")
NEGATIONS = words("negations")
BEFORE_TO = words("before_to")
STATUS = re.compile(r"[45]\d\d\Z")


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Without its endings: `failed`, `fails` and `failing` are one."""
    word = word.lower().removesuffix("'s")
    for ending in _ENDINGS:
        if ending == "y" and word[-2:-1] in "aeou":
            continue
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word


def _stems(name: str) -> frozenset[str]:
    return frozenset(stem(word) for word in WRITTEN[name].split())


SMALL = words("small")
NEVER, WELL, PLAIN_WORK, HARM = (_stems(name) for name in ("never", "well", "plain_work", "harm"))
COMMON = frozenset(stem(word) for name in ("small", "things", "happens", "kinds", "plain_work") for word in WRITTEN[name].split())
SPECIFIC = HARM - COMMON
"""Bad things of one kind, `full` and `expired`: said only where the question says them."""
IMPLIED = {word: frozenset(stem(one) for one in others.split()) for word, others in WRITTEN["implied"].items()}
SAME = {stem(word): name for name, others in WRITTEN["same"].items() for word in others.split()}
_IRREGULAR = {word: stem(base) for word, base in WRITTEN["irregular"].items()}


def meant(word: str) -> str:
    lower = word.lower()
    return _IRREGULAR.get(lower) or stem(lower)


def group_of(word: str) -> str:
    sense = meant(word)
    return str(SAME.get(sense, sense))


def denied(tokens: Sequence[str], place: int) -> bool:
    """Whether one of the three words before denies this one."""
    before = [token.lower() for token in tokens[max(0, place - 4) : place]]
    for at, word in enumerate(before):
        if word in NEGATIONS and not any(one in STOPS for one in before[at:]) and tokens[place].lower() not in NEGATIONS:
            return True
    return len(before) > 1 and before[-1] == "to" and before[-2] in BEFORE_TO - {"able"}


def acronym(token: str) -> bool:
    return token.isupper() and 1 < len(token) <= 5 and token not in ("OK", "TEST", "DRILL", "OVER", "FIXED", "CLEAR", "ONLY", "FINE")


def named(token: str) -> bool:
    return token[0].isalnum() and bool(NAME.search(token)) and not (NUMBER.match(token) or VERSION.match(token) or acronym(token))


def tokens_of(sentence: str) -> list[str]:
    return [bare for found in _TOKEN.finditer(sentence) if (bare := found[0].strip(_EDGE))]


def parts(text: str) -> Iterator[str]:
    """Words of a text, those in names as well: `HighErrorRate` has three."""
    yield from (found[0] for found in re.finditer(r"[A-Za-z']+", text))
    yield from (found[0] for found in _CAMEL.finditer(text))


def clauses(tokens: Sequence[str]) -> Iterator[list[str]]:
    clause: list[str] = []
    for token in tokens:
        if token in STOPS or token.lower() in ("but", "and"):
            if clause:
                yield clause
            clause = []
        else:
            clause.append(token)
    if clause:
        yield clause


def until_stop(tokens: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for token in tokens:
        if token in STOPS:
            break
        kept.append(token)
    return kept
