"""What a question supports: its words, its numbers with what stands around them, and which name does what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agents.advice.claim_words import (
    HARM,
    IMPLIED,
    NAME,
    NUMBER,
    PLAIN_WORK,
    SAME,
    SMALL,
    SPECIFIC,
    STATUS,
    STOPS,
    VERSION,
    WELL,
    denied,
    group_of,
    meant,
    named,
    parts,
    stem,
    tokens_of,
    until_stop,
    words,
)
from agents.advice.untrusted import sentences

_TIED = {"errors", "error", "responses", "response", "status", "code", "codes", "answers", "answer"}
_LESS = words("less")
_MORE = words("more")
_ROLES = SPECIFIC | {stem(word) for word in words("roles")}
"""What one is said to do or to have done to it: by the question of the same name."""
_SMALL_ADJECTIVES = words("small_adjectives")
_TIMES = words("times")
_PERCENT = frozenset(("percent", "pct"))
_METRICS = words("metrics")
_UNITS = _TIMES | words("sizes") | _PERCENT
_GENERAL = frozenset(stem(word) for word in ("affect", "impact", "hit", "effect"))
_HARM_GROUPS = frozenset(SAME.get(word, word) for word in HARM)


@dataclass(frozen=True, slots=True)
class Place:
    """A number in the question, and what stands around it."""

    value: float
    near: frozenset[str]
    line: frozenset[str]
    negated: frozenset[str]
    of: bool
    percent: bool
    key: str
    """Where a field is nothing but this number: the name of that field."""


class Claims:
    """What a question supports. `ours` and `outside`: fields and texts, in their order, of our own and of everybody's."""

    def __init__(self, ours: Iterable[str], outside: Iterable[str], names: Iterable[str]) -> None:
        ours, outside = list(ours), list(outside)
        self.facts = frozenset(meant(word) for line in ours for word in parts(line))
        said = {word.lower() for line in [*ours, *outside] for word in parts(line)}
        said |= {word[:-1] for word in said if word.endswith("s")}
        self.words = frozenset(map(meant, said)).union(*(IMPLIED.get(word, ()) for word in said))
        self.roles: dict[str, set[str]] = {}
        self.pairs: set[tuple[str, str]] = set()
        self.triples: set[tuple[str, str, str]] = set()
        self.places: dict[float, list[Place]] = {}
        self.names = frozenset(name.lower() for name in names if name)
        key = ""
        for line in [*ours, *outside]:
            for sentence in sentences(line):
                tokens = tokens_of(sentence)
                lower = [token.lower() for token in tokens]
                self.pairs.update(pairwise(lower))
                self.triples.update(zip(lower, lower[1:], lower[2:], strict=False))
                self._count(tokens, key)
                called = {token.lower().removesuffix("'s") for token in tokens if named(token)}
                for role in {meant(token) for token in tokens} & _ROLES if called else ():
                    self.roles.setdefault(role, set()).update(called)
            key = line if len(line) < 40 else ""

    def _count(self, tokens: Sequence[str], key: str) -> None:
        whole = frozenset(group_of(word) for token in tokens for word in parts(token))
        no = frozenset(group_of(token) for place, token in enumerate(tokens) if denied(tokens, place))
        for place, token in enumerate(tokens):
            if (number := NUMBER.match(token)) is None:
                continue
            after = until_stop(tokens[place + 1 : place + 4])
            before = [one for one in tokens[max(0, place - 2) : place] if one not in STOPS]
            around = [*after, *before] if len(tokens) > 1 else [key]
            near = frozenset(group_of(word) for one in around for word in parts(one)) | {one.lower() for one in around}
            of = bool(before) and before[-1].lower() == "of"
            line = whole if len(tokens) > 1 else near
            percent = number[2] == "%" or (bool(after) and after[0].lower() in _PERCENT)
            value = float(number[1].replace(",", ""))
            self.places.setdefault(value, []).append(Place(value, near, line, no, of, percent, key if len(tokens) == 1 else ""))

    def at(self, number: str) -> list[Place]:
        value = float(number.replace(",", ""))
        exactly = [*self.places.get(value, ()), *self._shares(value)]
        digits = len(number.partition(".")[2])
        return exactly or [place for known, places in self.places.items() if round(known, digits) == value for place in places]

    def _shares(self, value: float) -> list[Place]:
        """`38%` of `0.38`, and the other way round."""
        of_hundred = [place for place in self.places.get(round(value * 100, 6), ()) if place.percent] if value < 1 else []
        return of_hundred + (self.places.get(round(value / 100, 6), []) if 1 <= value <= 100 else [])


def of(whole: Any, names: Iterable[str]) -> Claims:
    """Of `view.told`'s parts: the texts of our own, and those that somebody outside may have written."""
    ours = {key: value for key, value in whole.ours.items() if key != "learned"}
    return Claims(
        _flat([ours, whole.incident.get("facts", {})]),
        _flat({key: value for key, value in whole.incident.items() if key != "facts"}),
        names,
    )


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key).replace("_", " ")
            yield from _flat(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def roles_hold(claims: Claims, clause: Sequence[str]) -> bool:
    """Whether what a clause says of the names in it is said in the question of one of them."""
    called = {token.lower().removesuffix("'s") for token in clause if named(token)}
    if not called:
        return True
    for token in clause:
        known = claims.roles.get(meant(token), set())
        if known and not any(
            one == other or other.startswith((f"{one}.", f"{one}-")) or one.startswith(f"{other}-") for one in called for other in known
        ):
            return False
    return True


def numbers_hold(claims: Claims, clause: Sequence[str]) -> bool:
    for place, token in enumerate(clause):
        if VERSION.match(token):
            if place and NAME.search(clause[place - 1]) and (clause[place - 1].lower(), token.lower()) not in claims.pairs:
                return False
            continue
        if (number := NUMBER.match(token)) is None:
            continue
        places = claims.at(number[1])
        if places and not any(_holds(claims, clause, place, one) for one in places):
            return False
    return True


def _holds(claims: Claims, clause: Sequence[str], place: int, one: Place) -> bool:
    before = [token.lower() for token in clause[max(0, place - 3) : place]]
    if one.of and not {"of"} & set(before[-2:]):
        return False
    percent = clause[place].endswith("%") or bool(_PERCENT & {token.lower() for token in clause[place + 1 : place + 2]})
    if one.percent and not percent and not clause[place].startswith(("0.", ".")):
        return False
    compared = {*before[-2:]}
    if (compared & _LESS and not (_LESS | {"<"}) & one.near) or (compared & (_MORE - {"over"}) and not (_MORE | {">"}) & one.near):
        return False
    following = clause[place + 1 :]
    if one.key == "tier":
        return before[-1:] == ["tier"] and group_of(_counted(following)) in ("", stem("service"))
    if one.key == "alert count":
        return group_of(_counted(following)) == "alert"
    unit = NUMBER.match(clause[place])
    timed = unit is not None and unit[2].lower() in _TIMES
    if following and following[0].lower() in _UNITS:
        timed = timed or following[0].lower() in _TIMES
        following = following[1:]
    measured = (
        timed
        or (unit is not None and bool(unit[2]) and unit[2] != "%")
        or (place + 1 < len(clause) and clause[place + 1].lower() in _UNITS - {"percent"})
    )
    noun = "" if measured else _counted(following)
    status = bool(STATUS.match(clause[place])) and noun.lower() in _TIED
    if noun and not status and group_of(noun) not in one.near:
        return False
    if timed and any(token.lower() in _METRICS and group_of(token) not in one.line for token in clause):
        return False
    if not all(_named_there(claims, token, one) for token in clause):
        return False
    return timed or status or group_of(noun) == "alert" or _same_side(clause, one)


def _counted(following: Sequence[str]) -> str:
    """The noun that a number counts: `requests` of `% of the requests`."""
    for token in following[:5]:
        lower = token.lower()
        if lower in ("of", "the", "its", "their", "all", "these") or NUMBER.match(token) or lower in _SMALL_ADJECTIVES:
            continue
        return "" if token in STOPS or lower in SMALL or NAME.search(token) else token
    return ""


def _named_there(claims: Claims, token: str, one: Place) -> bool:
    """Whether a name beside a number stands beside it in the question as well, or is what the alert is about."""
    if not named(token):
        return True
    name = token.lower().removesuffix("'s")
    return name in one.line or name in claims.names or {*map(group_of, parts(token))} <= one.line


def _same_side(clause: Sequence[str], one: Place) -> bool:
    """Whether what is said beside a number, good or bad, is what the question says beside it."""
    line_bad = any(word in one.line for word in _HARM_GROUPS) or bool(one.negated)
    for place, token in enumerate(clause):
        sense, group = meant(token), group_of(token)
        no = denied(clause, place)
        if sense in HARM - _GENERAL and group not in one.line and not (no or (group == "ready" and one.negated)):
            return False
        if sense in WELL and not no and (group not in one.line or group in one.negated):
            return False
        if (sense in WELL or sense in PLAIN_WORK) and no and not line_bad:
            return False
    return True
