"""What the summary of a triage may claim: words that the question or everyday English of failures has, no order, and nothing that plays
it down.

Names and values are checked elsewhere (`grounding.py`); here is what is said of them. A sentence is dropped where it

* has a word that is neither in the question nor in `claims.toml`;
* begins like an order, or has one after `to`, `and`, a comma or a colon;
* says that it is over, well, expected or no real incident, or denies that something is bad, unless our own facts say so: what the
  alert says of that is anybody's word;
* ties a number to another thing than the question does: `12 of 40 pods are not ready` is neither `40 pods` nor `12 pods are ready`.

A lie in the question's own words can stand: that one service broke another, say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.advice.claim_ground import Claims, numbers_hold, roles_hold
from agents.advice.claim_words import (
    BEFORE_TO,
    COMMON,
    HARM,
    NAME,
    NEVER,
    NUMBER,
    PLAIN_WORK,
    SMALL,
    STATUS,
    STOPS,
    WELL,
    WRITTEN,
    acronym,
    clauses,
    denied,
    group_of,
    meant,
    stem,
    tokens_of,
    words,
)

_DETERMINERS = words("determiners")
_FINITE = words("finite")
_BEYOND = words("beyond")
_LEFT = words("left")
_PATTERNS = {name: re.compile("|".join(patterns), re.I) for name, patterns in WRITTEN["patterns"].items()}
_BOUND_TO = _PATTERNS.pop("bound_to")
_ACTS = words("acts")
_BASE = _ACTS | words("happens")
_NEVER_WORDS = words("never")
_EVERY = words("every")
_BOTH = words("things") & _BASE | {"rollback", "backup"}
_HAPPENING = words("happens")
_HAPPENING_STEMS = frozenset(map(stem, _HAPPENING))
_VERBS = words("verbs") | (_HAPPENING - _BOTH)


def fault(claims: Claims, sentence: str) -> str | None:
    """Why a summary may not say this, or None."""
    tokens = tokens_of(sentence)
    if (order := _order(claims, sentence, tokens)) is not None:
        return order
    if _plays_down(claims, sentence, tokens):
        return "plays it down"
    for token in tokens:
        if not _known(claims, token):
            return "says what the input does not say"
    for clause in clauses(tokens):
        if not numbers_hold(claims, clause):
            return "ties a number to something else than the input does"
        if not roles_hold(claims, clause):
            return "says of one what the input says of another"
    if any(token.lower() in _EVERY and not _all_of(claims, tokens, place) for place, token in enumerate(tokens)):
        return "says more than the input does"
    return None if _tells(tokens) else "says nothing"


def _all_of(claims: Claims, tokens: Sequence[str], place: int) -> bool:
    """Whether the question speaks of all as well; `both` may join two things."""
    word = tokens[place].lower()
    return meant(word) in claims.words or (word == "both" and "and" in (token.lower() for token in tokens[place:]))


def _tells(tokens: Sequence[str]) -> bool:
    """Whether something is bad, counted, or has a verb."""
    return any(
        NUMBER.match(token)
        or token.lower() in _VERBS
        or meant(token) in HARM
        or (token.lower() not in _HAPPENING and meant(token) in _HAPPENING_STEMS)
        for token in tokens
    )


def _order(claims: Claims, sentence: str, tokens: Sequence[str]) -> str | None:
    if _BOUND_TO.search(sentence):
        return "gives an order"
    begins = True
    for place, token in enumerate(tokens):
        lower = token.lower()
        if begins and _commands(claims, tokens, place):
            return "gives an order"
        if token in ";:!?(":
            begins = True
            continue
        begins = False
        following = tokens[place + 1].lower() if place + 1 < len(tokens) else ""
        if following not in _ACTS or (following in _BOTH and lower != "to"):
            continue
        if lower in (",", "then", "so", "first", "please", "now") or (lower in ("and", "or", "but") and following not in _HAPPENING):
            return "gives an order"
        if lower == "to" and not (place and (tokens[place - 1].lower() in BEFORE_TO or tokens[place - 1].lower() in ("able", "unable"))):
            return "gives an order"
    return None


def _commands(claims: Claims, tokens: Sequence[str], place: int) -> bool:
    """Whether what begins here begins with a bare verb."""
    word = tokens[place]
    lower = word.lower()
    following = tokens[place + 1].lower() if place + 1 < len(tokens) else ""
    if NAME.search(word) or not lower.isalpha():
        return False
    if lower in ("first", "then", "best", "time", "better", "go", "time") and (following == "to" or lower in ("then", "best", "better")):
        return True
    if lower in _BASE:
        after = tokens[place + 2].lower() if place + 2 < len(tokens) else ""
        subject = following in _FINITE or (meant(following) in COMMON and following not in SMALL and after in _FINITE - {"of"})
        return not (lower in _BOTH and subject)
    if lower in SMALL or lower in _NEVER_WORDS or stem(lower) in COMMON:
        return False
    object_ = following in _DETERMINERS or bool(NUMBER.match(following)) or bool(NAME.search(following))
    return object_ and (lower, following) not in claims.pairs


def _plays_down(claims: Claims, sentence: str, tokens: Sequence[str]) -> bool:
    if any(pattern.search(sentence) for pattern in _PATTERNS.values()):
        return True
    return any(_clause_plays_down(claims, clause) for clause in clauses(tokens))


def _clause_plays_down(claims: Claims, clause: Sequence[str]) -> bool:
    bad = any(_bad(clause, place) for place in range(len(clause)))
    for place, token in enumerate(clause):
        if _is_name(claims, token):
            continue
        lower, sense = token.lower(), meant(token)
        for part in (lower, *(lower.split("-") if "-" in lower else ())):
            if _never_said(claims, clause, place, part):
                return True
        if sense in claims.facts:
            continue
        no = denied(clause, place)
        if no and sense in HARM:
            return True
        if (sense in WELL or lower in WELL) and not no and not _as_written(claims, clause, place):
            return True
        if sense in PLAIN_WORK and lower not in ("up", "back", "through") and not no and not bad:
            return True
    return False


def _never_said(claims: Claims, clause: Sequence[str], place: int, word: str) -> bool:
    if (word not in _NEVER_WORDS and stem(word) not in NEVER) or word in ("suggests", "plays"):
        return False
    if stem(word) in claims.facts:
        return False
    before = clause[place - 1].lower() if place else ""
    following = clause[place + 1].lower() if place + 1 < len(clause) else ""
    if before in _BEYOND and word in ("expected", "normal", "usual", "planned"):
        return False
    if word == "only":
        return _LEFT.isdisjoint(one.lower() for one in clause)
    if word in ("scheduled", "regular", "routine", "planned"):
        return (word, following) not in claims.pairs or stem(following) not in (
            stem(one) for one in ("job", "backup", "run", "sync", "task", "report")
        )
    return True


def _as_written(claims: Claims, clause: Sequence[str], place: int) -> bool:
    """Whether a good word is what the question says of a number, or part of a name of things in it: `the last good backup`."""
    lower = [token.lower() for token in clause]
    if 0 < place < len(clause) - 1 and tuple(lower[place - 1 : place + 2]) in claims.triples and lower[place + 1] not in SMALL:
        return True
    sense = group_of(clause[place])
    numbers = [found[1] for token in clause if (found := NUMBER.match(token))]
    return bool(numbers) and all(any(sense in one.line and sense not in one.negated for one in claims.at(number)) for number in numbers)


def _bad(clause: Sequence[str], place: int) -> bool:
    """Whether this word says that something is bad."""
    token = clause[place]
    if STATUS.match(token):
        return True
    if token.lower() == "out" and place + 1 < len(clause) and clause[place + 1].lower() == "of":
        return True
    sense = meant(token)
    if sense in HARM:
        return not denied(clause, place)
    return denied(clause, place) and (sense in WELL or sense in PLAIN_WORK)


def _known(claims: Claims, token: str) -> bool:
    if token in STOPS or not any(letter.isalpha() for letter in token) or _is_name(claims, token) or NUMBER.match(token):
        return True
    lower = token.lower()
    return all(
        part in SMALL or meant(part) in COMMON or meant(part) in claims.words or meant(part) in WELL or part in _NEVER_WORDS
        for part in re.split(r"[-/]", lower)
        if part
    )


def _is_name(claims: Claims, token: str) -> bool:
    """Ids, acronyms and the like: whether they stand in the question has been looked at."""
    return (
        (bool(NAME.search(token)) and not re.fullmatch(r"[a-z]+(?:-[a-z]+)+|[A-Z]+:?", token, re.I))
        or token.lower() in claims.names
        or acronym(token)
    )
