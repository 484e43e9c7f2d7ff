"""Whether a sentence of an answer says only what the question says. One that does not is dropped, whole.

What is compared: numbers, percentages, times, ids, hosts, paths, labels, names with a capital inside a sentence, names of well-known
products, and quoted text. Words of everyday English are not: a sentence may be wrong and stand. Numbers are equal by value: `38%`,
`38 percent` and `0.38` are the same, `12k` is 12000, and a decimal number may be rounded to two significant digits or more. Nothing is
calculated: `90 s` is not in a question that says `1.5 min`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

from agents.advice import claim_ground, claims, orders
from agents.advice.disguise import plain
from agents.advice.prompt import Template
from agents.advice.untrusted import clean, is_strong, sentences, suspicious
from agents.advice.view import told
from schemas.advice import AdviceTask, Question

RUNBOOK = re.compile(r"\b(?:run|play)books?\b", re.I)
ID = re.compile(r"\b[A-Za-z0-9]+(?:[-_./][A-Za-z0-9]+)+\b")
SHINGLE = 6
"""So many words in a row of the prompt's own text are no accident."""
PAST = 40
"""Sentences of an answer that are looked at."""
EDGES = ".,;:!?()[]{}\"'*…~`|"
_SPLIT = re.compile(r"[\s,;|()\[\]{}\"'=<>]+")
_NUMBER = re.compile(
    r"[~<>=+-]{0,2}[$€£]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?)(%|[a-z]{1,9}(?:/[a-z]{1,6})?)?\Z", re.I | re.A
)
_PARTS = re.compile(r"\d+(?:\.\d+)?(?=(?:ms|s|m|h|d)(?:\d|\Z))", re.I)
_PERCENTILE = re.compile(r"p(\d{2}(?:\.\d)?)\Z", re.I)
_CLOCK = re.compile(r"(?a:\d{1,4}(?:[:/-]\d{1,2}){1,2}(?:[tT ]?\d{1,2}:\d{2}(?::\d{2})?)?[zZ]?)\Z")
_QUOTED = re.compile(r"\"([^\"]{1,400})\"|`([^`]{1,400})`|(?<!\w)'([^']{1,400})'(?!\w)")
_MATCHER = re.compile(r"([\w.:/-]{1,64})=\"([^\"\n<>]{1,100})\"\Z")
_WORD = re.compile(r"[a-z0-9']+")
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "million": 1e6, "thousand": 1e3, "billion": 1e9}
_KNOWN = tomllib.loads(resources.files("agents.advice").joinpath("words.toml").read_text("utf-8"))
_WORDS: dict[str, float] = {word: float(value) for word, value in _KNOWN["numbers"].items()}
_UNITS: dict[str, str] = {name: unit for unit, names in _KNOWN["units"].items() for name in names}
_AMOUNTS, ACRONYMS = frozenset(_KNOWN["amounts"]), frozenset(_KNOWN["acronyms"])
HYPHENED, PREFIXES, SLASHED = frozenset(_KNOWN["hyphened"]), frozenset(_KNOWN["prefixes"]), frozenset(_KNOWN["slashed"])
PRODUCTS = re.compile(rf"(?<![\w.-])(?:{'|'.join(_KNOWN['products'])})(?![\w-])", re.I)


class Ground:
    """What a question says, ready to be asked for words and numbers. Text that speaks to a machine is no part of it."""

    def __init__(self, question: Question, template: Template) -> None:
        whole = told(question)
        ours = {key: value for key, value in whole.ours.items() if key != "learned"}  # probabilities are no facts of the incident
        lines = [*_texts(ours), *_texts(whole.candidates), *_texts(whole.incident)]
        self.task = template.task
        self.timeline = " ".join(plain(line).lower() for line in whole.incident["timeline"])
        self.text = "\n".join(" ".join(plain(line).lower().split()) for line in lines)
        card = question.service
        about = [
            question.title,
            *(text for one in question.alerts for text in (one.name, one.service, one.environment, *one.labels.values())),
        ]
        about += [card.service, card.owner] if card is not None else []
        self.claims = claim_ground.of(whole, about) if template.task is AdviceTask.TRIAGE else None
        services = [card.service, *card.depends_on, *card.used_by] if card is not None else []
        self.names = " ".join([*(f"{one.id} {one.title}" for one in question.candidates), *services]).lower()
        """Runbooks that may be chosen, and services of ours."""
        self.words = frozenset(_words(self.text))
        self.numbers: dict[float, set[str]] = {}
        self.percentiles: set[float] = set()
        for line in self.text.split("\n"):
            self._count(line)
        own = _WORD.findall(self.text)
        rules = template.system.partition("\nExample")[0]  # the examples' names and numbers are no part of a question
        self.shingles = _shingles(_WORD.findall(rules.lower())) - _shingles(own)

    def _count(self, line: str) -> None:
        words = [word for raw in line.split(" ") for word in _pieces(raw)]
        for place, word in enumerate(words):
            following = words[place + 1] if place + 1 < len(words) else ""
            found = _NUMBER.match(word)
            if found:
                unit = found[2] or ""
                self._add(_value(found[1]), "scalar" if len(words) == 1 and not unit else _kind(unit, following))
                if unit in _SCALES:
                    self._add(_value(found[1]) * _SCALES[unit], "counted")
            elif percentile := _PERCENTILE.match(word):
                self.percentiles.add(float(percentile[1]))
            elif word in _WORDS:
                self._add(_WORDS[word], "counted")
            else:
                for part in _PARTS.findall(word):
                    self._add(float(part), "counted")

    def _add(self, value: float, kind: str) -> None:
        self.numbers.setdefault(value, set()).add(kind)

    def knows(self, words: str) -> bool:
        """Whether these words stand in the question, not as part of longer ones."""
        wanted = words.lower()
        if wanted in self.words:
            return True
        start = self.text.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            before, after = self.text[start - 1 : start], self.text[end : end + 1]
            if not (before.isalnum() and wanted[:1].isalnum()) and not (after.isalnum() and wanted[-1:].isalnum()):
                return True
            start = self.text.find(wanted, start + 1)
        return False

    def counts(self, digits: str, kind: str) -> bool:
        """Whether a number stands in the question, by value: with this unit, or without any. One without a unit may have any there."""
        value = _value(digits)
        known = self.numbers.get(value, set())
        fitting = {kind, "scalar"} if kind not in ("alone", "counted") else known
        if known & fitting or self._rounds(digits, fitting or {"scalar", "alone", "counted", *_UNITS.values()}):
            return True
        if kind == "percent":
            return bool(self.numbers.get(round(value / 100, 6), set()) & {"scalar", "alone", "counted"})
        return kind in ("alone", "counted") and value < 1 and "percent" in self.numbers.get(round(value * 100, 6), set())

    def _rounds(self, digits: str, kinds: set[str]) -> bool:
        """Whether a decimal number of the question, rounded, is this one."""
        bare = digits.replace(",", "")
        if "e" in bare.lower() or len(bare.replace(".", "").lstrip("0")) < 2:
            return False
        places = len(bare.partition(".")[2])
        value = float(bare)
        return any(
            kinds & of and known != int(known) and round(known, places) == value for known, of in self.numbers.items() if known < 1e15
        )


def _kind(unit: str, following: str) -> str:
    """What a number counts: a unit, `percent`, `alone` (nothing stands behind it) or `counted` (some word does). Besides, a field that is
    nothing but a number is `scalar`: its unit is told elsewhere."""
    said = (unit or following).lower()
    if said in _UNITS:
        return _UNITS[said]
    return "counted" if unit or following[:1].isalpha() else "alone"


def grounded(ground: Ground, text: str, limit: int) -> tuple[str, list[str]]:
    """(the sentences of `text` that hold, as plain text of at most `limit` characters; why others do not)."""
    kept: list[str] = []
    why: list[str] = []
    length = 0
    last = suspicious(text)
    cleaned = clean(plain(text), 4 * limit)
    for number, raw in enumerate(sentences(cleaned)):
        sentence = " ".join(raw.split())
        if not sentence:
            continue
        fault = "more sentences than are looked at" if number >= PAST else fault_of(ground, sentence)
        if fault is None:
            sentence = _unmarked(sentence)
            if sentence in kept:
                fault = "said before"
            elif length + len(sentence) + bool(kept) > limit:
                fault = "over the length"
        if fault is not None:
            why.append(fault)
            continue
        kept.append(sentence)
        length += len(sentence) + (len(kept) > 1)
    together = " ".join(kept)
    if last is not None and (not why or suspicious(together) is not None or ground_breaks(ground, together)):
        return "", [*why, "speaks as an instruction"]
    return together, why


def matcher(ground: Ground, line: str) -> tuple[str, list[str]]:
    """A condition on a label, `label="value"`, both as the question has them; else ("", why not)."""
    found = _MATCHER.match(line.strip())
    if found is None:
        return "", ["is no condition on a label"]
    if not (ground.knows(found[1]) and ground.knows(" ".join(found[2].split()))):
        return "", ["names something that the input does not name"]
    return (found[0], []) if suspicious(line) is None else ("", ["speaks as an instruction"])


def ground_breaks(ground: Ground, together: str) -> bool:
    """Whether sentences that pass alone say something together that none may."""
    return bool(together) and orders.fault(together, ground.task, ground.timeline) is not None


def fault_of(ground: Ground, sentence: str) -> str | None:
    """Why a sentence may not be said, or None."""
    if orders.MARKUP.search(sentence):
        return "has markup, a link or a mention"
    sign = suspicious(sentence)
    if sign is not None and (is_strong(sign) or ground.task is not AdviceTask.NOISE_RULE):
        return "speaks as an instruction"
    fault = orders.fault(sentence, ground.task, ground.timeline)
    if fault is not None:
        return fault
    if _shingles(_WORD.findall(sentence.lower())) & ground.shingles or "speaks to a machine" in sentence:
        return "repeats the prompt"
    for meta in orders.META.finditer(sentence):
        if not ground.knows(meta[0]):
            return "speaks of itself"
    for quoted in _QUOTED.finditer(sentence):
        said = " ".join(next(part for part in quoted.groups() if part is not None).split()).strip(EDGES + " ")
        if said and not ground.knows(said):
            return "quotes what the input does not say"
    if RUNBOOK.search(sentence) and not all(word.lower() in ground.names for word in ID.findall(sentence)):
        return "names a runbook that is no candidate"
    for product in PRODUCTS.finditer(sentence):
        if product[0].lower() not in ground.text:
            return "names something that the input does not name"
    return _words_fault(ground, sentence) or (claims.fault(ground.claims, sentence) if ground.claims is not None else None)


def _words_fault(ground: Ground, sentence: str) -> str | None:
    words = sentence.split(" ")
    letters = 0
    for place, raw in enumerate(words):
        word = raw.strip(EDGES)
        if not word:
            continue
        letters += any(letter.isalpha() for letter in word)
        following = words[place + 1].strip(EDGES).lower() if place + 1 < len(words) else ""
        fault = _number_fault(ground, word, following)
        if fault is None and not _is_number(word):
            fault = _name_fault(ground, word, first=place == 0)
        if fault is not None:
            return fault
        if place >= 3 and len({one.lower() for one in words[place - 3 : place + 1]}) == 1:
            return "stammers"
    return None if letters >= 2 else "says nothing"


def _is_number(word: str) -> bool:
    return _NUMBER.match(word) is not None or _CLOCK.match(word) is not None


def _number_fault(ground: Ground, word: str, following: str) -> str | None:
    missing = "has a number that the input does not have"
    lower = word.lower()
    if lower in _WORDS or lower in _AMOUNTS:
        return None if ground.knows(lower) or (lower in _WORDS and _WORDS[lower] in ground.numbers) else missing
    if _CLOCK.match(word):
        return None if ground.knows(word) else missing
    found = _NUMBER.match(word)
    if not found or (found[2] and ground.knows(word) and found[2] != "%"):
        return None
    unit = (found[2] or "").lower()
    if unit == "th" and _value(found[1]) in ground.percentiles:
        return None
    if ground.counts(found[1], _kind(unit, following)):
        return None
    if unit in _SCALES and _value(found[1]) * _SCALES[unit] in ground.numbers:
        return None
    return missing


def _name_fault(ground: Ground, word: str, *, first: bool) -> str | None:
    """Ids, hosts, paths and names must stand in the question."""
    missing = "names something that the input does not name"
    bare = word[:-2] if word.lower().endswith("'s") else word
    if not bare or ground.knows(bare) or (bare[-1:] == "s" and ground.knows(bare[:-1])):
        return None
    lower = bare.lower()
    if not bare.isascii() or any(letter.isdigit() for letter in bare) or any(sign in bare for sign in "_@#$=\\&%^+"):
        return missing
    if "/" in bare:
        return None if all(part in SLASHED or ground.knows(part) for part in lower.split("/") if part) and lower[0] != "/" else missing
    if "." in bare or ":" in bare:
        return None if lower in ("e.g", "i.e", "etc", "vs") else missing
    if "-" in bare:
        parts = [part for part in lower.split("-") if part]
        plain_words = (
            lower in HYPHENED or ground.knows(lower.replace("-", " ")) or (len(parts) == 2 and parts[0] in PREFIXES) or len(parts) < 2
        )
        return None if plain_words else missing
    if bare.upper() in ACRONYMS:
        return None
    if bare[1:] != bare[1:].lower() or (not first and bare[0].isupper()):
        return missing
    return None


def _value(digits: str) -> float:
    return float(digits.replace(",", ""))


def _pieces(raw: str) -> Iterator[str]:
    """A word as numbers are looked for in it: whole, without punctuation, and in parts."""
    word = raw.strip(EDGES)
    if not word or "://" in word:  # what stands in a link counts nothing
        return
    if _NUMBER.match(word):
        yield word
        return
    for piece in _SPLIT.split(word):
        if piece := piece.strip(EDGES):
            yield piece


def _words(text: str) -> Iterator[str]:
    for raw in _SPLIT.split(text):
        word = raw.strip(EDGES)
        if word:
            yield word


def _shingles(words: list[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words[start : start + SHINGLE]) for start in range(len(words) - SHINGLE + 1))


def _unmarked(sentence: str) -> str:
    """Without the signs of Markdown."""
    return sentence.lstrip("#>*- ").replace("**", "").replace("`", "").replace("~~", "").replace("*", "").strip()


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in plain values, names of fields as well."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
